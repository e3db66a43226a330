// SPDX-License-Identifier: Apache-2.0
#include "unlearn/mem/runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mem/example_run.hpp"
#include "message_of.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/mem/run_state.hpp"

namespace unlearn {
namespace {

using testing::Diary;
using ::testing::ElementsAre;
using testing::message_of;

struct NoModel {};
using Notes = std::vector<std::string>;

/// Records its calls. The loss of batch b in round r is 10 r + b.
struct Knitting {
  static constexpr std::string_view name = "knitting";
  Notes* notes;
  std::size_t rows = 2;
  [[nodiscard]] std::size_t batches(std::uint32_t /*round*/) const { return rows; }
  std::optional<double> run(const StageBatch& at, std::mt19937& rng) {
    static_cast<void>(rng());
    notes->push_back("knit " + std::to_string(at.round) + " " + std::to_string(at.batch) + "/" +
                     std::to_string(at.batches));
    return 10.0 * at.round + static_cast<double>(at.batch);
  }
  void finish() { notes->emplace_back("cast off"); }
};

/// Runs in odd rounds only. Its loss can be made infinite or NaN.
struct Purling {
  static constexpr std::string_view name = "purling";
  Notes* notes;
  std::optional<double> loss = 1;
  [[nodiscard]] std::size_t batches(std::uint32_t round) const { return round % 2; }
  std::optional<double> run(const StageBatch& at, std::mt19937& /*rng*/) {
    notes->push_back("purl " + std::to_string(at.round));
    return loss;
  }
};

static_assert(RunStage<Knitting, std::mt19937>);

/// It has no name, so it could not be distinguished from other stages.
struct Nameless {
  [[nodiscard]] std::size_t batches(std::uint32_t /*round*/) const { return 1; }
  std::optional<double> run(const StageBatch& /*at*/, std::mt19937& /*rng*/) { return 0; }
};
static_assert(!RunStage<Nameless, std::mt19937>);

struct KnittingRun {
  Notes notes;
  Knitting knitting{.notes = &notes};
  Purling purling{.notes = &notes};
  TrainingState state;
  std::mt19937 rng{1};
  NoModel model;

  template <class... Observers>
  StopReason operator()(const RunLimits& limits, Observers&&... observers) {
    return run_stages(limits, RunSubject<TrainingState, std::mt19937, NoModel>{state, rng, model},
                      std::tie(knitting, purling), observers...);
  }
};

TEST(Runner, RunsTheBatchesOfAllStagesInTurnRoundByRound) {
  KnittingRun run;
  EXPECT_EQ(run({.rounds = 2}), StopReason::round_limit);
  EXPECT_THAT(run.notes, ElementsAre("knit 0 0/2", "knit 0 1/2", "knit 1 0/2", "knit 1 1/2",
                                     "purl 1", "cast off"));
}

TEST(Runner, KeepsTheMeanLossesOfTheStagesThatRan) {
  KnittingRun run;
  (void)run({.rounds = 2});
  EXPECT_EQ(run.state.progress.trace,
            (std::vector<RoundLosses>{{.round = 0, .stages = {{.stage = "knitting", .mean = 0.5}}},
                                      {.round = 1,
                                       .stages = {{.stage = "knitting", .mean = 10.5},
                                                  {.stage = "purling", .mean = 1}}}}));
}

TEST(Runner, TellsObserversOfEachBatchByTheNameOfItsStage) {
  KnittingRun run;
  Diary diary;
  (void)run({.rounds = 1}, diary);
  EXPECT_THAT(diary.entries,
              ElementsAre("begin 0/1", "0/1 knitting 0/2", "safe point", "0/1 knitting 1/2",
                          "safe point", "round 0/1", "last safe point", "end round_limit"));
}

TEST(Runner, ConvergesBelowTheStopLossAndNotAtIt) {
  KnittingRun at;
  EXPECT_EQ(at({.rounds = 1, .stop_loss = 0.5}), StopReason::round_limit);
  KnittingRun below;
  EXPECT_EQ(below({.rounds = 9, .stop_loss = 0.6}), StopReason::converged);
  EXPECT_EQ(below.state.progress.round, 1U);
}

TEST(Runner, StopsAtALossThatIsNotFiniteAndLeavesTheProgressOfTheLastGoodBatch) {
  for (const std::optional<double> loss :
       {std::optional<double>(), std::optional(not_a_number<double>()),
        std::optional(positive_infinity<double>())}) {
    KnittingRun run;
    run.purling.loss = loss;
    EXPECT_EQ(run({.rounds = 5}), StopReason::not_finite);
    EXPECT_EQ(run.state.progress.round, 1U);
    EXPECT_EQ(run.state.progress.stage, "purling");
    EXPECT_EQ(run.state.progress.batch, 0U);
    EXPECT_EQ(run.notes.back(), "cast off");
  }
}

TEST(Runner, GoesOnWithinAStage) {
  KnittingRun whole;
  (void)whole({.rounds = 3});
  KnittingRun parts;
  const auto stop = [](const BatchEnd&) { return Flow::stop; };
  while (parts({.rounds = 3}, stop) == StopReason::stopped_by_observer) parts.notes.pop_back();
  EXPECT_EQ(parts.notes, whole.notes);
  EXPECT_EQ(parts.state.progress.trace, whole.state.progress.trace);
  EXPECT_EQ(parts.rng, whole.rng);
}

TEST(Runner, RefusesTheProgressOfOtherStages) {
  const auto refusal = [](auto change) {
    KnittingRun run;
    (void)run({.rounds = 3}, [](const BatchEnd& event) {
      return event.round == 1 && event.batch == 0 ? Flow::stop : Flow::proceed;
    });
    change(run);
    return message_of<InvalidArgument>([&] { (void)run({.rounds = 3}); });
  };
  EXPECT_EQ(refusal([](KnittingRun& run) { run.state.progress.stage = "crochet"; }),
            "stage of the state to go on from: expected one of knitting, purling, got crochet");
  EXPECT_EQ(refusal([](KnittingRun& run) { run.knitting.rows = 1; }),
            "batch of the state to go on from: expected below the stage's 1, got 1");
  EXPECT_EQ(refusal([](KnittingRun& run) { run.state.progress.round = 4; }),
            "round of the state to go on from: expected at most the round limit of 3, got 4");
}

}  // namespace
}  // namespace unlearn
