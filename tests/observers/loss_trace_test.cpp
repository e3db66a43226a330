// SPDX-License-Identifier: Apache-2.0
#include "unlearn/observers/loss_trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "message_of.hpp"
#include "observers/events.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/mem/stages/noise_stage.hpp"

namespace unlearn {
namespace {

static_assert(testing::RunObserver<LossTrace>);

LossTrace example_trace() {
  LossTrace trace;
  trace(testing::batch_end(0, 2, 0.1));
  trace({.round = 3, .rounds = 20, .stage = noise_stage, .batch = 41, .batches = 50, .loss = 1e-9});
  return trace;
}

TEST(LossTrace, KeepsEveryBatch) {
  const LossTrace trace = example_trace();
  ASSERT_EQ(trace.batches().size(), 2U);
  EXPECT_EQ(trace.batches()[0].loss, 0.1);
  EXPECT_EQ(trace.batches()[1].round, 3U);
}

TEST(LossTrace, WritesALineForEachBatch) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "loss.csv", "before");
  example_trace().write_csv(directory / "loss.csv");
  EXPECT_EQ(testing::read_file(directory / "loss.csv"),
            "round,stage,batch,loss\n0,surrogate,0,0.1\n3,noise,41,1e-09\n");
  EXPECT_THAT(testing::names_in(directory.path()), ::testing::UnorderedElementsAre("loss.csv"));
}

TEST(LossTrace, NamesTheFileThatCannotBeWritten) {
  EXPECT_EQ(testing::message_of<FileError>([] { LossTrace().write_csv("/nowhere/loss.csv"); }),
            "file '/nowhere/loss.csv.tmp': expected to open it, got No such file or directory");
}

}  // namespace
}  // namespace unlearn
