// SPDX-License-Identifier: Apache-2.0
#include "unlearn/mem/contrastive_training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <sstream>
#include <string>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/fresh_state.hpp"

namespace unlearn {
namespace {

using testing::Floats;
using testing::message_of;
using testing::Pixels;
using testing::RunRng;
using testing::TemporaryDirectory;
using testing::TwoTowers;

std::string weights_of(const TwoTowers& model) {
  std::ostringstream text;
  model.save(text);
  return text.str();
}

template <class Pairs>
struct Training {
  Pairs pairs{};
  TwoTowers model{pairs.elements()};
  TrainingState state{};
  RunRng rng{7};

  template <class... Observers>
  RunResult operator()(const ContrastiveTraining<>& training, Observers&&... observers) {
    return training.train(model, pairs, state, rng, observers...);
  }
};

template <class Pairs>
class ContrastiveTrainingOf : public ::testing::Test {};
using BothPairs = ::testing::Types<Pixels, Floats>;
TYPED_TEST_SUITE(ContrastiveTrainingOf, BothPairs);

TYPED_TEST(ContrastiveTrainingOf, IsMemWithoutNoiseAndTriggers) {
  Training<TypeParam> plain;
  const RunResult result = plain({.rounds = 3, .steps = 5, .batch_size = 4});

  TypeParam pairs;
  TwoTowers model{pairs.elements()};
  auto state = fresh_state(pairs);
  RunRng rng{7};
  MultiStepMinimizer<> mem = training(5);
  mem.rounds = 3;
  mem.batch_size = 4;
  const RunResult expected = mem.minimize(model, pairs, state, rng);

  EXPECT_EQ(result.trace, expected.trace);
  EXPECT_EQ(result.train_steps, 15U);
  EXPECT_EQ(weights_of(plain.model), weights_of(model));
  EXPECT_EQ(plain.rng, rng);
}

TEST(ContrastiveTraining, GoesOnFromACheckpointToTheSameBytes) {
  const ContrastiveTraining<> training{.rounds = 2, .steps = 4, .batch_size = 4};
  Training<Pixels> straight;
  const RunResult expected = straight(training);

  const TemporaryDirectory directory;
  std::uint64_t parts = 0;
  for (StopReason stop = StopReason::running; stop != StopReason::round_limit; ++parts) {
    Training<Pixels> part;
    auto checkpoint = checkpoint_to(directory / "run", {.every = std::chrono::seconds(0)});
    EXPECT_EQ(checkpoint.restore(part.state, part.rng, part.model), parts > 0);
    int batches = 0;
    const RunResult result = part(training, checkpoint, [&](const BatchEnd&) {
      return ++batches == 3 ? Flow::stop : Flow::proceed;
    });
    stop = result.stop;
    if (stop != StopReason::round_limit) continue;
    EXPECT_EQ(result.trace, expected.trace);
    EXPECT_EQ(weights_of(part.model), weights_of(straight.model));
    EXPECT_EQ(part.rng, straight.rng);
  }
  EXPECT_EQ(parts, 3U);
  EXPECT_THAT(testing::names_in(directory / "run"),
              ::testing::UnorderedElementsAre("state", ::testing::HasSubstr(".model")));
}

TEST(ContrastiveTraining, CannotGoOnFromARunWithNoise) {
  const TemporaryDirectory directory;
  {
    Pixels pairs;
    TwoTowers model{pairs.elements()};
    auto state = fresh_state(pairs);
    RunRng rng{7};
    auto checkpoint = checkpoint_to(directory / "run");
    (void)training(1).minimize(model, pairs, state, rng, checkpoint);
  }
  Training<Pixels> other;
  auto checkpoint = checkpoint_to(directory / "run");
  EXPECT_THAT(
      message_of<FileError>([&] { (void)checkpoint.restore(other.state, other.rng, other.model); }),
      ::testing::EndsWith("dtype of the noise: expected none, got |i1"));
}

TEST(ContrastiveTraining, RefusesWhatCannotBe) {
  Training<Pixels> run;
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)run({.steps = 1, .batch_size = 0}); }),
            "batch size: expected at least 1, got 0");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)run({}); }),
            "steps of a round: expected at least 1, got 0");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)run({.steps = 1, .batch_size = 1}); }),
            "pairs in the smallest batch of the surrogate stage: expected at least 2, which the "
            "loss compares (raise batch_size, or give more pairs), got 1");
  Training<Pixels> empty{.pairs = Pixels({.signals = 0})};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)empty({.steps = 1}); }),
            "rows of the pair source: expected at least 1, got 0");
}

}  // namespace
}  // namespace unlearn
