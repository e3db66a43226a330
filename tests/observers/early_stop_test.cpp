// SPDX-License-Identifier: Apache-2.0
#include "unlearn/observers/early_stop.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "message_of.hpp"
#include "observers/events.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn {
namespace {

using testing::round_end;

static_assert(testing::RunObserver<EarlyStop>);

/// The first round after which `observer` stops a run with these losses; -1 if none.
int stops_after(EarlyStop observer, const std::vector<double>& losses) {
  observer(RunBegin{.first_round = 0, .rounds = 20});
  for (std::uint32_t round = 0; round < losses.size(); ++round) {
    if (observer(round_end(round, losses[round])) == Flow::stop) return static_cast<int>(round);
  }
  return -1;
}

TEST(EarlyStop, WaitsForAsManyRoundsAsItHasPatience) {
  EXPECT_EQ(stops_after(early_stop(), {3, 2, 2, 2, 2, 2}), 4);
  EXPECT_EQ(stops_after(early_stop({.patience = 1}), {3, 2, 2, 2}), 2);
  EXPECT_EQ(stops_after(early_stop({.patience = 2}), {3, 4, 2, 4, 1, 4}), -1);
  EXPECT_EQ(stops_after(early_stop({.patience = 2}), {3, 2.9, 2.8, 2.7, 2.6}), -1);
}

TEST(EarlyStop, MeasuresAgainstTheBestRoundNotTheLast) {
  EXPECT_EQ(stops_after(early_stop({.patience = 2}), {1, 3, 2, 0}), 2);
}

TEST(EarlyStop, CountsOnlyWhatFallsByMoreThanMinDelta) {
  EXPECT_EQ(stops_after(early_stop({.patience = 2, .min_delta = 0.5}), {3, 2.5, 2.5, 2}), 2);
  EXPECT_EQ(stops_after(early_stop({.patience = 2, .min_delta = 0.5}), {3, 2.75, 2.5, 2}), 2);
  EXPECT_EQ(stops_after(early_stop({.patience = 2, .min_delta = 0.5}), {3, 2.75, 2.25, 2, 1}), -1);
}

TEST(EarlyStop, TakesNaNForNoImprovement) {
  const double nan = not_a_number<double>();
  EXPECT_EQ(stops_after(early_stop({.patience = 2}), {nan, nan, 1}), 1);
  EXPECT_EQ(stops_after(early_stop({.patience = 2}), {1, nan, 0.5, nan, nan}), 4);
}

// If a run resumes at the last batch of a round, the observer first gets the end of that round.
TEST(EarlyStop, GoesOnCountingInAResumedRun) {
  std::vector<RoundLosses> complete;
  for (const double loss : {2.0, 1.0, 1.5}) {
    complete.push_back(round_end(static_cast<std::uint32_t>(complete.size()), loss).losses);
  }
  EarlyStop observer = early_stop({.patience = 2});
  observer(RunBegin{.first_round = 3, .rounds = 20, .complete = complete});
  EXPECT_EQ(observer(round_end(3, 1.25)), Flow::stop);
}

TEST(EarlyStop, BeginsAnewWithANewRun) {
  EarlyStop observer = early_stop({.patience = 1});
  for (int run = 0; run < 2; ++run) {
    observer(RunBegin{.first_round = 0, .rounds = 20});
    EXPECT_EQ(observer(round_end(0, 1)), Flow::proceed);
    EXPECT_EQ(observer(round_end(1, 1)), Flow::stop);
  }
}

TEST(EarlyStop, RefusesSettingsThatMakeNoSense) {
  using testing::message_of;
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)early_stop({.patience = 0}); }),
            "patience: expected at least 1, got 0");
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)early_stop({.min_delta = -1}); }),
            "min_delta: expected at least 0, got -1.000000");
  EXPECT_THROW((void)early_stop({.min_delta = not_a_number<double>()}), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
