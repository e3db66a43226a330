// SPDX-License-Identifier: Apache-2.0
#include "unlearn/observers/progress_bar.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observers/events.hpp"
#include "unlearn/mem/stages/noise_stage.hpp"
#include "unlearn/mem/stages/surrogate_stage.hpp"
#include "unlearn/mem/stages/trigger_stage.hpp"

namespace unlearn {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

static_assert(testing::RunObserver<ProgressBar<>>);

/// A clock that the test sets.
struct HandClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<HandClock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static inline time_point time{};
  static time_point now() { return time; }
};

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// Everything that was written to the file so far.
std::string contents(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

/// The states of a line that is redrawn repeatedly, and the line at the end.
std::vector<std::string> drawn(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\r', at + 1), text.size());
    lines.push_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  return lines;
}

class ProgressBarOnAFile : public ::testing::Test {
 protected:
  void begin(std::uint32_t first_round = 0) {
    bar_(RunBegin{.first_round = first_round, .rounds = 3});
  }

  /// A batch that takes `took`.
  void batch(std::string_view stage, std::size_t batch, std::size_t batches,
             std::chrono::milliseconds took = std::chrono::seconds(1)) {
    HandClock::time += took;
    bar_(BatchEnd{.round = round_,
                  .rounds = 3,
                  .stage = stage,
                  .batch = batch,
                  .batches = batches,
                  .loss = 0.3125});
  }

  void end_round(double loss = 0.25) {
    bar_(RoundEnd{.losses = {.round = round_++, .stages = {{.stage = "surrogate", .mean = loss}}},
                  .rounds = 3});
  }

  std::vector<std::string> lines() const { return drawn(contents(file_.get())); }

  std::uint32_t round_ = 0;
  File file_{std::tmpfile(), &std::fclose};
  ProgressBar<HandClock> bar_{{.stream = file_.get(), .when = ShowProgress::always}};
};

TEST_F(ProgressBarOnAFile, ShowsWhereTheRunStands) {
  begin();
  for (std::size_t b = 0; b < 4; ++b) batch(noise_stage, b, 10, std::chrono::milliseconds(2500));
  EXPECT_EQ(lines().back(),
            "round 1/3 noise [==========>               ] 4/10  loss 0.3125  0.4/s  ETA 0:15");
}

TEST_F(ProgressBarOnAFile, DrawsAnEmptyAndAFullBar) {
  begin();
  batch(trigger_stage, 0, 1000);
  EXPECT_THAT(lines().back(), HasSubstr("[>                      ] 1/1000"));
  batch(trigger_stage, 999, 1000);
  EXPECT_THAT(lines().back(), HasSubstr("[=====================] 1000/1000"));
}

TEST_F(ProgressBarOnAFile, MeasuresThePaceOfTheStageUnderWay) {
  begin();
  batch(surrogate_stage, 0, 2, std::chrono::seconds(10));
  batch(surrogate_stage, 1, 2, std::chrono::seconds(10));
  batch(noise_stage, 0, 7201, std::chrono::seconds(1));
  EXPECT_THAT(lines().back(), EndsWith("  1/s  ETA 2:00:00"));
}

TEST_F(ProgressBarOnAFile, MeasuresARepeatedStageFromItsOwnBeginning) {
  begin();
  batch(noise_stage, 0, 1, std::chrono::seconds(10));
  end_round();
  batch(noise_stage, 0, 2, std::chrono::seconds(1));
  EXPECT_THAT(lines().back(), HasSubstr("  1/s  ETA 0:01"));
}

TEST_F(ProgressBarOnAFile, MeasuresTheRestOfAResumedStage) {
  begin(1);
  round_ = 1;
  batch(noise_stage, 8, 11, std::chrono::seconds(2));
  EXPECT_THAT(lines().back(),
              AllOf(StartsWith("round 2/3"), EndsWith("9/11  loss 0.3125  0.5/s  ETA 0:04")));
}

TEST_F(ProgressBarOnAFile, EstimatesTheRunFromAWholeRound) {
  begin();
  batch(surrogate_stage, 0, 1, std::chrono::seconds(60));
  EXPECT_THAT(lines().back(), Not(HasSubstr("run")));
  batch(noise_stage, 0, 1, std::chrono::seconds(30));
  end_round();
  batch(surrogate_stage, 0, 1, std::chrono::seconds(20));
  EXPECT_THAT(lines().back(), EndsWith("ETA 0:00, run 2:40"));
  // Much slower than the round before. The run cannot end before its stage does.
  batch(noise_stage, 0, 2, std::chrono::seconds(1000));
  EXPECT_THAT(lines().back(), EndsWith("ETA 16:40, run 16:40"));
}

TEST_F(ProgressBarOnAFile, DoesNotEstimateTheRunFromTheRestOfARound) {
  begin(1);
  round_ = 1;
  batch(noise_stage, 0, 1);
  end_round();
  batch(surrogate_stage, 0, 1);
  EXPECT_THAT(lines().back(), Not(HasSubstr("run")));
}

TEST_F(ProgressBarOnAFile, DoesNotEstimateTheRunFromTheRestOfTheFirstRound) {
  begin();
  batch(noise_stage, 1, 2);
  end_round();
  batch(surrogate_stage, 0, 1);
  EXPECT_THAT(lines().back(), Not(HasSubstr("run")));
}

TEST_F(ProgressBarOnAFile, SaysNothingOfPaceBeforeAnyTimeHasPassed) {
  begin();
  batch(noise_stage, 0, 2, std::chrono::seconds(0));
  EXPECT_THAT(lines().back(), EndsWith("1/2  loss 0.3125"));
}

TEST_F(ProgressBarOnAFile, IsDrawnTenTimesASecondAtMost) {
  begin();
  for (std::size_t b = 0; b < 1000; ++b) {
    batch(surrogate_stage, b, 1000, std::chrono::milliseconds(10));
  }
  EXPECT_THAT(lines(), SizeIs(100));
}

TEST_F(ProgressBarOnAFile, LeavesTheOutcomeOnTheLine) {
  begin();
  HandClock::time += std::chrono::seconds(1);
  batch(surrogate_stage, 0, 1);
  end_round(0.125);
  bar_(RunEnd{.stop = StopReason::converged});
  EXPECT_EQ(contents(file_.get()).back(), '\n');
  EXPECT_THAT(lines().back(), StartsWith("1/3 rounds  loss 0.125  converged after 0:02 "));
}

TEST_F(ProgressBarOnAFile, WipesOutWhatWasLonger) {
  begin();
  batch(surrogate_stage, 0, 1);
  const std::size_t length = lines().back().size();
  bar_(RunEnd{.stop = StopReason::converged});
  EXPECT_THAT(lines().back(), SizeIs(length + 1));
}

TEST_F(ProgressBarOnAFile, StandsAfresInASecondRun) {
  begin();
  batch(noise_stage, 0, 2);
  end_round();
  bar_(RunEnd{.stop = StopReason::round_limit});
  begin(1);
  round_ = 1;
  batch(noise_stage, 1, 2, std::chrono::seconds(4));
  EXPECT_THAT(lines().back(), EndsWith("  0.25/s  ETA 0:00"));
  bar_(RunEnd{.stop = StopReason::stopped_by_observer});
  EXPECT_THAT(lines().back(), StartsWith("1/3 rounds  loss -  stopped_by_observer after 0:04"));
}

TEST(ProgressBar, EndsTheLineWhenTheRunIsCutShort) {
  const File file(std::tmpfile(), &std::fclose);
  {
    ProgressBar first = progress_bar({.stream = file.get(), .when = ShowProgress::always});
    first(RunBegin{.first_round = 0, .rounds = 1});
    first(testing::batch_end(0, 2));
    const ProgressBar second = std::move(first);
    EXPECT_NE(contents(file.get()).back(), '\n');
  }
  const std::string text = contents(file.get());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(ProgressBar, IsQuietWhereThereIsNoTerminalOrWhenToldSo) {
  for (const ShowProgress when : {ShowProgress::automatic, ShowProgress::never}) {
    const File file(std::tmpfile(), &std::fclose);
    {
      ProgressBar bar = progress_bar({.stream = file.get(), .when = when});
      bar(RunBegin{.first_round = 0, .rounds = 1});
      bar(testing::batch_end(0, 1));
      bar(testing::round_end(0, 1));
      bar(RunEnd{.stop = StopReason::round_limit});
    }
    EXPECT_THAT(contents(file.get()), IsEmpty());
  }
}

/// The two ends of a terminal that is `columns` wide.
class Terminal {
 public:
  explicit Terminal(unsigned short columns)
      : controller_(::posix_openpt(O_RDWR | O_NOCTTY)), stream_(nullptr, &std::fclose) {
    if (controller_ < 0 || ::grantpt(controller_) != 0 || ::unlockpt(controller_) != 0) {
      throw std::runtime_error("no pseudo-terminal");
    }
    stream_.reset(std::fopen(::ptsname(controller_), "r+"));
    termios settings{};
    ::tcgetattr(::fileno(stream_.get()), &settings);
    ::cfmakeraw(&settings);
    ::tcsetattr(::fileno(stream_.get()), TCSANOW, &settings);
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(::fileno(stream_.get()), TIOCSWINSZ, &size);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { ::close(controller_); }

  std::FILE* stream() const { return stream_.get(); }

  /// What was written since the last call; at least one byte must have been.
  std::string take() const {
    std::array<char, 4096> buffer{};
    const auto size = ::read(controller_, buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(size)};
  }

 private:
  int controller_;
  File stream_;
};

TEST(ProgressBar, NeverLeavesTheLineOfATerminal) {
  for (const std::size_t columns : {10U, 40U, 60U, 80U, 200U}) {
    const Terminal terminal(static_cast<unsigned short>(columns));
    ProgressBar<HandClock> bar({.stream = terminal.stream()});
    bar(RunBegin{.first_round = 0, .rounds = 2});
    HandClock::time += std::chrono::seconds(1);
    bar(testing::batch_end(0, 2));
    const std::vector<std::string> lines = drawn(terminal.take());
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_LT(lines[0].size(), columns);
    EXPECT_THAT(lines[0], StartsWith("round 1/2"));
    EXPECT_EQ(lines[0].find('[') != std::string::npos, columns >= 60) << columns;
  }
}

TEST(ProgressBar, FillsAWideTerminalWithABarOfThirty) {
  const Terminal terminal(200);
  ProgressBar<HandClock> bar({.stream = terminal.stream()});
  bar(RunBegin{.first_round = 0, .rounds = 2});
  bar(testing::batch_end(0, 2));
  EXPECT_THAT(terminal.take(), HasSubstr("[===============>              ]"));
}

}  // namespace
}  // namespace unlearn
