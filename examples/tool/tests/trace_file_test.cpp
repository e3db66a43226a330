// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/trace_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "clip/training/epoch_record.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

using ::testing::SizeIs;
using unlearn::testing::message_of;
using unlearn::testing::read_file;
using unlearn::testing::TemporaryDirectory;
using unlearn::testing::write_file;

TEST(TraceFile, GivesBackWhatWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "trace.csv";
  const std::vector<RoundLosses> trace{
      {.round = 0, .stages = {{"surrogate", 3.5}, {"trigger", 2.25}, {"noise", 1.5}}},
      {.round = 1, .stages = {{"noise", 0.125}}},
      {.round = 2, .stages = {{"trigger", 2}, {"another", 0.5}}}};
  write_trace_file(path, trace);
  EXPECT_EQ(read_file(path),
            "round,surrogate,trigger,noise,another\n1,3.5,2.25,1.5,\n2,,,0.125,\n3,,2,,0.5\n");
  EXPECT_EQ(read_trace_file(path), trace);
  EXPECT_EQ(stages_of(trace),
            (std::vector<std::string>{"surrogate", "trigger", "noise", "another"}));
}

TEST(TraceFile, RefusesOtherFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory / "trace.csv";
  write_file(path, "surrogate,noise\n");
  EXPECT_EQ(message_of<FileError>([&] { (void)read_trace_file(path); }),
            "file '" + path + "', header: expected a column 'round', got none");
  write_file(path, "round,noise\n0,1\n");
  EXPECT_EQ(message_of<FileError>([&] { (void)read_trace_file(path); }),
            "file '" + path + "', line 2, \"round\": expected a whole number from 1, got 0");
  write_file(path, "round" + std::string(100, ',') + "\n");
  EXPECT_EQ(message_of<FileError>([&] { (void)read_trace_file(path); }),
            "file '" + path + "', header: expected at most 32 columns, got 101");
  write_file(path, "round," + std::string(1000, 'a') + "\n");
  EXPECT_EQ(message_of<FileError>([&] { (void)read_trace_file(path); }),
            "file '" + path + "', header: expected names of 1 to 64 bytes, got 1000");
}

TEST(EpochLogFile, GivesBackWhatWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log.csv";
  const std::vector<clip::EpochRecord> records{
      {.epoch = 1,
       .loss = 4.5,
       .rate = 0.0005,
       .retrieval = {.signal_to_text = {.hit_at_k = 1.5, .median_rank = 640},
                     .text_to_signal = {.hit_at_k = 1.25, .median_rank = 430}}}};
  clip::write_epoch_log(path, records);
  EXPECT_EQ(read_file(path),
            "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr\n"
            "1,4.5,0.0005,1.5,640,1.25,430\n");
  const auto found = clip::read_epoch_log(path);
  ASSERT_THAT(found, SizeIs(1));
  clip::write_epoch_log(directory / "again.csv", found);
  EXPECT_EQ(read_file(directory / "again.csv"), read_file(path));
}

TEST(EpochLogFile, RefusesOtherFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory / "log.csv";
  write_file(path,
             "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr\n1,2,3,4,5,6,\n");
  EXPECT_EQ(message_of<FileError>([&] { (void)clip::read_epoch_log(path); }),
            "file '" + path + "', line 2, \"t2i_medr\": expected a number, got an empty field");
}

}  // namespace
}  // namespace unlearn::tool
