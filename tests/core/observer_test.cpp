// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/observer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace unlearn {
namespace {

using ::testing::ElementsAre;

struct Step {
  int number;
};
struct End {};
struct Other {};

/// Minimal: one hook, which may change the observer and returns nothing.
struct CountSteps {
  int steps = 0;
  void operator()(const Step& /*step*/) { ++steps; }
};
/// A hook for each event, by overloads; only one of them can stop a run.
struct StopAt {
  int number;
  int ends = 0;
  Flow operator()(const Step& step) const {
    return step.number == number ? Flow::stop : Flow::proceed;
  }
  void operator()(const End& /*end*/) { ++ends; }
};
struct OfAnotherEvent {
  void operator()(const Other& /*other*/) {}
};
struct ReturnsANumber {
  int operator()(const Step& /*step*/) { return 0; }
};
struct ReturnsANumberOnce {
  void operator()(const Step& /*step*/) {}
  bool operator()(const End& /*end*/) { return true; }
};
struct WantsToChangeTheEvent {
  void operator()(Step& step) { ++step.number; }
};

static_assert(Observer<CountSteps, Step, End>);
static_assert(Observer<StopAt, Step, End>);
static_assert(Observer<OfAnotherEvent, Step, Other>);
static_assert(!Observer<OfAnotherEvent, Step, End>, "matches no hook");
static_assert(!Observer<ReturnsANumber, Step, End>, "an answer is void or Flow");
static_assert(!Observer<ReturnsANumberOnce, Step, End>, "and that of every hook");
static_assert(!Observer<WantsToChangeTheEvent, Step, End>, "events are const");
static_assert(!Observer<CountSteps>, "there is no event to match");

TEST(Notify, CallsTheHookOfTheEventAndSkipsObserversWithoutOne) {
  CountSteps counter;
  StopAt stopper{.number = 9};
  EXPECT_EQ(detail::notify(Step{1}, counter, stopper), Flow::proceed);
  EXPECT_EQ(detail::notify(Step{2}, counter, stopper), Flow::proceed);
  EXPECT_EQ(detail::notify(End{}, counter, stopper), Flow::proceed);
  EXPECT_EQ(counter.steps, 2);
  EXPECT_EQ(stopper.ends, 1);
}

TEST(Notify, TellsEveryObserverInOrderEvenAfterAStop) {
  std::vector<std::string> told;
  auto first = [&](const Step&) {
    told.emplace_back("first");
    return Flow::stop;
  };
  auto second = [&](const Step&) { told.emplace_back("second"); };
  auto third = [&](const Step&) {
    told.emplace_back("third");
    return Flow::proceed;
  };
  EXPECT_EQ(detail::notify(Step{1}, first, second, third), Flow::stop);
  EXPECT_THAT(told, ElementsAre("first", "second", "third"));
}

TEST(Notify, StopsWhicheverObserverAsks) {
  CountSteps counter;
  StopAt stopper{.number = 3};
  EXPECT_EQ(detail::notify(Step{2}, counter, stopper), Flow::proceed);
  EXPECT_EQ(detail::notify(Step{3}, counter, stopper), Flow::stop);
  EXPECT_EQ(detail::notify(Step{3}, stopper, counter), Flow::stop);
}

TEST(Notify, ProceedsWithoutObservers) { EXPECT_EQ(detail::notify(Step{1}), Flow::proceed); }

}  // namespace
}  // namespace unlearn
