// SPDX-License-Identifier: Apache-2.0
// What the model and the observer receive, and in which order.
#include "unlearn/mem/multi_step_minimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/memory_noise_store.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {
namespace {

using testing::all_triggers;
using testing::Diary;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Eq;
using testing::Example;
using testing::noise_of;
using ::testing::Not;
using testing::Pixels;
using ::testing::SizeIs;
using testing::small_mem;
using testing::TwoTowers;

// --- What the model receives ---------------------------------------------------------------------

/// Records the arguments of its functions.
struct WatchedTowers : TwoTowers {
  struct Call {
    std::string function;
    std::vector<std::size_t> rows{};             ///< the rows of the captions
    std::vector<std::vector<Token>> triggers{};  ///< the trigger of each row
    std::vector<std::vector<std::uint8_t>> clean{};
    std::vector<std::vector<std::int8_t>> noise{};
  };
  using TwoTowers::TwoTowers;
  mutable std::vector<Call> calls{};

  Matrix encode_signals(const PixelBatch& signals) const {
    note("encode_signals", signals, {});
    return TwoTowers::encode_signals(signals);
  }
  Matrix encode_texts(const TokenBatch& texts) const {
    note("encode_texts", {}, texts);
    return TwoTowers::encode_texts(texts);
  }
  template <class Loss>
  void signal_gradient(const PixelBatch& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    note("signal_gradient", signals, {});
    TwoTowers::signal_gradient(signals, pullback, out);
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    note("text_gradient", {}, texts);
    TwoTowers::text_gradient(texts, pullback, out);
  }
  double train_step(const PixelBatch& signals, const TokenBatch& texts) {
    note("train_step", signals, texts);
    return TwoTowers::train_step(signals, texts);
  }

  [[nodiscard]] std::vector<Call> calls_of(const std::string& function) const {
    std::vector<Call> found;
    for (const Call& call : calls) {
      if (call.function == function) found.push_back(call);
    }
    return found;
  }

 private:
  void note(const char* function, const PixelBatch& signals, const TokenBatch& texts) const {
    Call call{.function = function};
    for (std::size_t r = 0; r < texts.size(); ++r) {
      const auto tokens = texts.sequence(r);
      const std::size_t length = texts.trigger_length();
      call.triggers.emplace_back(tokens.begin() + 1, tokens.begin() + 1 + std::ptrdiff_t(length));
      call.rows.push_back(Pixels::row_of(tokens[1 + length]));
    }
    for (std::size_t r = 0; r < signals.size(); ++r) {
      call.clean.emplace_back(signals.clean.row(r).begin(), signals.clean.row(r).end());
      call.noise.emplace_back(signals.noise.row(r).begin(), signals.noise.row(r).end());
    }
    calls.push_back(std::move(call));
  }
};
using Watched = Example<Pixels, WatchedTowers>;

/// A state whose triggers all differ: the trigger of group g is {g + 2, g + 3}.
template <class State>
void number_triggers(State& state) {
  for (Index g = 0; g < state.triggers.groups(); ++g) {
    state.triggers[g][0] = static_cast<Token>(g + 2);
    state.triggers[g][1] = static_cast<Token>(g + 3);
  }
}

std::vector<std::int8_t> clipped_to(std::span<const std::uint8_t> clean,
                                    std::vector<std::int8_t> noise) {
  for (std::size_t e = 0; e < noise.size(); ++e) {
    noise[e] = static_cast<std::int8_t>(std::clamp<int>(noise[e], -clean[e], 255 - clean[e]));
  }
  return noise;
}

TEST(MultiStepMinimizer, ShowsEveryRowWithTheNoiseAndTriggerOfItsGroups) {
  const std::vector<Index> classes{0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0, 2};
  for (const bool shared : {false, true}) {
    Watched example({.signals = 6, .captions = 2});
    example.share({.noise = shared ? GroupMap::by_label(classes) : Scope::of(example.pairs).noise,
                   .triggers = GroupMap::by_label(classes)});
    auto mem = small_mem();
    (void)example.run(mem);
    number_triggers(example.state);
    example.model.calls.clear();
    mem.surrogate_steps = 6;
    mem.rounds = 4;
    mem.trigger_rounds = 0;
    mem.descent.steps = 0;
    (void)example.run(mem);

    const auto fits = example.model.calls_of("train_step");
    ASSERT_THAT(fits, SizeIs(6));
    for (const auto& fit : fits) {
      for (std::size_t i = 0; i < fit.rows.size(); ++i) {
        const auto row = static_cast<Index>(fit.rows[i]);
        const auto signal = example.pairs.signal(example.pairs.signal_of(row));
        EXPECT_THAT(fit.clean[i], ElementsAreArray(signal));
        EXPECT_EQ(fit.noise[i],
                  clipped_to(signal, noise_of(example.state, example.state.scope.noise.of(row))));
        const Token group = static_cast<Token>(classes[row]);
        EXPECT_THAT(fit.triggers[i], ElementsAre(group + 2, group + 3));
      }
    }
  }
}

TEST(MultiStepMinimizer, FitsInEpochsThatGoOnFromRoundToRound) {
  Watched example({.signals = 5, .captions = 2});
  auto mem = small_mem();
  mem.rounds = 4;
  mem.surrogate_steps = 5;
  (void)example.run(mem);
  const auto fits = example.model.calls_of("train_step");
  ASSERT_THAT(fits, SizeIs(20));
  std::set<std::set<std::size_t>> epochs;
  for (std::size_t step = 0; step < fits.size(); step += 2) {
    std::set<std::size_t> seen;
    for (const auto& fit : {fits[step], fits[step + 1]}) {
      EXPECT_THAT(fit.rows, SizeIs(4));
      seen.insert(fit.rows.begin(), fit.rows.end());
    }
    EXPECT_THAT(seen, SizeIs(8)) << "of ten rows, two batches of four, and two rows are left over";
    epochs.insert(seen);
  }
  EXPECT_GT(epochs.size(), 3U) << "each epoch is drawn anew";
}

TEST(MultiStepMinimizer, FillsEpochsToTheLastRow) {
  Watched example({.signals = 8});
  auto mem = small_mem();
  mem.surrogate_steps = 2;
  mem.rounds = 1;
  (void)example.run(mem);
  std::set<std::size_t> seen;
  for (const auto& fit : example.model.calls_of("train_step"))
    seen.insert(fit.rows.begin(), fit.rows.end());
  EXPECT_THAT(seen, SizeIs(8));
}

/// How often each row's caption was shown, and the sizes of the batches.
TEST(MultiStepMinimizer, VisitsEveryRowOnceInATriggerPassInEvenBatches) {
  Watched example({.signals = 5, .captions = 2});
  auto mem = small_mem();
  mem.rounds = 1;
  mem.batch_size = 4;
  (void)example.run(mem);
  const auto searches = example.model.calls_of("text_gradient");
  ASSERT_THAT(searches, SizeIs(3));
  std::vector<std::size_t> seen;
  for (const auto& search : searches) {
    EXPECT_GE(search.rows.size(), 3U);
    EXPECT_LE(search.rows.size(), 4U);
    seen.insert(seen.end(), search.rows.begin(), search.rows.end());
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(seen, Not(::testing::WhenSorted(Eq(seen)))) << "in an order that is drawn";
}

/// The signals that a noise pass visits, and the number of batches that each of them is in.
std::map<std::vector<int>, int> visits(const WatchedTowers& model, int steps) {
  std::map<std::vector<int>, int> count;
  const auto calls = model.calls_of("signal_gradient");
  for (std::size_t i = 0; i < calls.size(); i += static_cast<std::size_t>(steps)) {
    for (const auto& clean : calls[i].clean) ++count[std::vector<int>(clean.begin(), clean.end())];
  }
  return count;
}

TEST(MultiStepMinimizer, VisitsEverySignalOnceInANoisePass) {
  Watched example({.signals = 5, .captions = 2});
  auto mem = small_mem();
  mem.rounds = 1;
  (void)example.run(mem);
  const auto count = visits(example.model, 3);
  EXPECT_THAT(count, SizeIs(5));
  EXPECT_THAT(count, Each(::testing::Pair(::testing::_, 1)));
  for (const auto& call : example.model.calls_of("signal_gradient")) {
    EXPECT_THAT(call.clean, ::testing::AnyOf(SizeIs(2), SizeIs(3)));
  }
}

TEST(MultiStepMinimizer, VisitsASignalOnceForEachOfItsNoises) {
  Watched example({.signals = 5, .captions = 4});
  std::vector<Index> two_noises(20);
  for (std::size_t row = 0; row < 20; ++row) two_noises[row] = static_cast<Index>(row / 10);
  for (const auto& [scope, times] :
       {std::pair(GroupMap::per_row(20), 4), std::pair(GroupMap::by_label(two_noises), 2),
        std::pair(GroupMap::universal(20), 1)}) {
    example.share({.noise = scope, .triggers = GroupMap::per_row(20)});
    example.model.calls.clear();
    auto mem = small_mem();
    mem.rounds = 1;
    (void)example.run(mem);
    const auto count = visits(example.model, 3);
    EXPECT_THAT(count, SizeIs(5));
    EXPECT_THAT(count, Each(::testing::Pair(::testing::_, times)));
  }
}

/// Only noise, in one batch of all signals. Each row has another trigger.
Watched descent_alone(std::size_t captions, bool shuffled, int steps) {
  Watched example({.signals = 6, .captions = captions});
  number_triggers(example.state);
  auto mem = small_mem();
  mem.rounds = 1;
  mem.surrogate_steps = 0;
  mem.trigger_rounds = 0;
  mem.batch_size = 6;
  mem.descent.steps = steps;
  mem.shuffle.enabled = shuffled;
  (void)example.run(mem);
  return example;
}

/// Row i of a call shows signal i of the batch: the row whose trigger is at i.
std::vector<std::size_t> rows_by_trigger(const WatchedTowers::Call& call) {
  std::vector<std::size_t> rows;
  for (const auto& trigger : call.triggers)
    rows.push_back(static_cast<std::size_t>(trigger[0] - 2));
  return rows;
}

TEST(MultiStepMinimizer, ShufflesTheCaptionsAnewAtEveryNoiseStepButNotTheTriggers) {
  const Watched example = descent_alone(1, true, 20);
  const auto texts = example.model.calls_of("encode_texts");
  const auto signals = example.model.calls_of("signal_gradient");
  ASSERT_THAT(texts, SizeIs(21)) << "each step, and the loss at the end";
  std::set<std::vector<std::size_t>> orders;
  for (const auto& call : texts) {
    const auto rows = rows_by_trigger(call);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_THAT(signals[0].clean[i], ElementsAreArray(example.pairs.signal(rows[i])))
          << "signal i meets its own trigger";
    }
    EXPECT_THAT(call.rows, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
    orders.insert(call.rows);
  }
  EXPECT_GT(orders.size(), 15U);
}

TEST(MultiStepMinimizer, LeavesEveryCaptionWithItsTriggerWhenNothingIsShuffled) {
  const Watched example = descent_alone(2, false, 5);
  for (const auto& call : example.model.calls_of("encode_texts")) {
    EXPECT_EQ(call.rows, rows_by_trigger(call));
  }
}

TEST(MultiStepMinimizer, DrawsNothingButTheOrderWhereThereIsNothingToChoose) {
  Watched example = descent_alone(1, false, 5);
  testing::RunRng rng = Watched().rng;
  (void)random_bits(rng);
  EXPECT_EQ(example.rng, rng);
}

TEST(MultiStepMinimizer, DrawsOneOfASignalsCaptionsAtEveryNoiseStep) {
  const Watched example = descent_alone(3, true, 40);
  const auto signals = example.model.calls_of("signal_gradient");
  std::set<std::size_t> triggers_seen;
  std::set<std::size_t> captions_seen;
  for (const auto& call : example.model.calls_of("encode_texts")) {
    const auto rows = rows_by_trigger(call);
    std::set<std::size_t> signals_of_captions;
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_THAT(signals[0].clean[i], ElementsAreArray(example.pairs.signal(rows[i] % 6)));
      signals_of_captions.insert(call.rows[i] % 6);
    }
    EXPECT_THAT(signals_of_captions, SizeIs(6)) << "a caption of each signal";
    EXPECT_THAT(call.rows, ::testing::UnorderedElementsAreArray(rows));
    triggers_seen.insert(rows.begin(), rows.end());
    captions_seen.insert(call.rows.begin(), call.rows.end());
  }
  EXPECT_THAT(triggers_seen, SizeIs(18));
  EXPECT_THAT(captions_seen, SizeIs(18));
}

TEST(MultiStepMinimizer, EncodesTheSignalsOfATriggerBatchOnce) {
  Watched example;
  auto mem = small_mem();
  mem.rounds = 1;
  mem.descent.steps = 0;
  (void)example.run(mem);
  EXPECT_THAT(example.model.calls_of("encode_signals"), SizeIs(2)) << "for two batches";
}

TEST(MultiStepMinimizer, EncodesNoMoreRowsAtOnceThanItMay) {
  if (testing::fast_math) GTEST_SKIP() << "sums depend on the loop around them";
  auto mem = small_mem();
  mem.batch_size = 4;
  Watched expected;
  (void)expected.run(mem);
  std::size_t most = 0;
  for (const auto& call : expected.model.calls_of("encode_texts")) {
    most = std::max(most, call.rows.size());
  }
  EXPECT_GT(most, 5U) << "the test must meet the limit";
  for (const std::size_t rows : {4U, 5U}) {
    Watched example;
    mem.encode_rows = rows;
    (void)example.run(mem);
    for (const auto& call : example.model.calls_of("encode_texts")) {
      EXPECT_LE(call.rows.size(), rows);
    }
    EXPECT_EQ(example.everything(), expected.everything());
  }
}

// --- Stages and events ---------------------------------------------------------------------------

TEST(MultiStepMinimizer, RunsItsLevelsInTurnInRounds) {
  Example<> example;
  auto mem = small_mem();
  mem.rounds = 2;
  mem.trigger_rounds = 1;
  mem.surrogate_steps = 2;
  Diary diary;
  (void)example.run(mem, diary);
  const std::string safe = "safe point";
  EXPECT_THAT(diary.entries,
              ElementsAre("begin 0/2",                         //
                          "0/2 surrogate 0/2", safe,           //
                          "0/2 surrogate 1/2", safe,           //
                          "0/2 trigger 0/2", safe,             //
                          "0/2 trigger 1/2", safe,             //
                          "0/2 noise 0/2", safe,               //
                          "0/2 noise 1/2", "round 0/2", safe,  //
                          "1/2 surrogate 0/2", safe,           //
                          "1/2 surrogate 1/2", safe,           //
                          safe,                                // no trigger search in this round
                          "1/2 noise 0/2", safe,               //
                          "1/2 noise 1/2", "round 1/2", "last safe point", "end round_limit"));
}

TEST(MultiStepMinimizer, LeavesOutLevelsThatAreGivenNoSteps) {
  const auto entries = [](auto change) {
    Example<> example;
    auto mem = small_mem();
    mem.rounds = 1;
    change(mem, example);
    Diary diary;
    (void)example.run(mem, diary);
    std::erase(diary.entries, "safe point");
    return diary.entries;
  };
  EXPECT_THAT(entries([](auto& mem, auto&) {
                mem.surrogate_steps = 0;
                mem.descent.steps = 0;
              }),
              ElementsAre("begin 0/1", "0/1 trigger 0/2", "0/1 trigger 1/2", "round 0/1",
                          "last safe point", "end round_limit"));
  EXPECT_THAT(entries([](auto& mem, auto& example) {
                mem.surrogate_steps = 0;
                example.state = fresh_state(example.pairs);
              }),
              ElementsAre("begin 0/1", "0/1 noise 0/2", "0/1 noise 1/2", "round 0/1",
                          "last safe point", "end round_limit"));
  EXPECT_THAT(entries([](auto& mem, auto&) { mem.rounds = 0; }),
              ElementsAre("begin 0/0", "end round_limit"));
}

TEST(MultiStepMinimizer, ReportsTheMeanLossOfEachStageAndWhatItCost) {
  Watched example;
  auto mem = small_mem();
  std::vector<BatchEnd> batches;
  std::vector<RoundLosses> rounds;
  const RunResult result = example.run(
      mem, [&](const BatchEnd& event) { batches.push_back(event); },
      [&](const RoundEnd& event) { rounds.push_back(event.losses); });
  ASSERT_THAT(result.trace, SizeIs(3));
  ASSERT_THAT(rounds, SizeIs(3));
  for (std::uint32_t round = 0; round < 3; ++round) {
    const RoundLosses& losses = result.trace[round];
    const auto mean = [&](std::string_view stage) {
      double sum = 0;
      double count = 0;
      for (const BatchEnd& batch : batches) {
        if (batch.round != round || batch.stage != stage) continue;
        sum += batch.loss;
        ++count;
      }
      return sum / count;
    };
    EXPECT_EQ(losses.round, round);
    EXPECT_EQ(losses.of(surrogate_stage), mean(surrogate_stage));
    EXPECT_EQ(losses.of(noise_stage), mean(noise_stage));
    if (round < 2) {
      EXPECT_EQ(losses.of(trigger_stage), mean(trigger_stage));
    } else {
      EXPECT_EQ(losses.of(trigger_stage), std::nullopt) << "not run";
    }
    EXPECT_EQ(losses.last(), losses.of(noise_stage));
    EXPECT_EQ(rounds[round].of(noise_stage), losses.of(noise_stage));
  }
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.rounds, 3U);
  EXPECT_EQ(result.train_steps, 9U);
  EXPECT_EQ(result.loss, result.trace.back().of(noise_stage));
  EXPECT_EQ(result.evaluations, 3U * 2 * (3 + 1)) << "rounds, batches, steps and the end";
  EXPECT_EQ(result.hypotheses, 2U * 6 * 2 * 4) << "rounds, rows, positions, candidates";
}

TEST(MultiStepMinimizer, CountsWhatThisCallCostAndTheRoundsOfAll) {
  Example<> example;
  auto mem = small_mem();
  mem.rounds = 1;
  (void)example.run(mem);
  mem.rounds = 3;
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.rounds, 3U);
  EXPECT_EQ(result.train_steps, 9U);
  EXPECT_THAT(result.trace, SizeIs(3));
  EXPECT_EQ(result.evaluations, 2U * 2 * (3 + 1));
  EXPECT_EQ(result.hypotheses, 1U * 6 * 2 * 4);
}

TEST(MultiStepMinimizer, SearchesTriggersInTheFirstRoundsOnly) {
  Example<> example;
  auto mem = small_mem();
  mem.rounds = 5;
  mem.trigger_rounds = 2;
  std::vector<std::vector<Token>> after_round{all_triggers(example.state.triggers)};
  (void)example.run(
      mem, [&](const RoundEnd&) { after_round.push_back(all_triggers(example.state.triggers)); });
  EXPECT_NE(after_round[1], after_round[0]);
  EXPECT_NE(after_round[2], after_round[1]);
  EXPECT_EQ(after_round[3], after_round[2]);
  EXPECT_EQ(after_round[5], after_round[2]);
}

// --- Hints ---------------------------------------------------------------------------------------

/// Records what is loaded, and the hints about what comes next.
struct Log {
  std::vector<std::vector<Index>> loads{};
  std::vector<std::vector<Index>> hints{};  ///< the hint after each load; empty if there was none

  void load(std::span<const Index> names) {
    loads.emplace_back(names.begin(), names.end());
    hints.emplace_back();
  }
  void hint(std::span<const Index> names) {
    ASSERT_TRUE(hints.back().empty()) << "told twice";
    hints.back().assign(names.begin(), names.end());
  }
};

struct HintedPairs : Pixels {
  using Pixels::Pixels;
  mutable Log log{};
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    log.load(indices);
    Pixels::load_signals(indices, out);
  }
  void prefetch(std::span<const Index> indices) { log.hint(indices); }
};

struct HintedNoise : MemoryNoiseStore<std::int8_t> {
  using MemoryNoiseStore::MemoryNoiseStore;
  mutable Log log{};
  void load(std::span<const Index> groups, View<std::int8_t, 2> out) const {
    log.load(groups);
    MemoryNoiseStore::load(groups, out);
  }
  void prefetch(std::span<const Index> groups) { log.hint(groups); }
};

/// Checks that every hint is what is loaded next.
/// @returns the number of hints
std::size_t check_hints(const Log& log) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < log.loads.size(); ++i) {
    if (log.hints[i].empty()) continue;
    ++count;
    EXPECT_LT(i + 1, log.loads.size()) << "nothing comes after the last one";
    if (i + 1 < log.loads.size()) {
      EXPECT_EQ(log.hints[i], log.loads[i + 1]) << "load " << i;
    }
  }
  return count;
}

TEST(MultiStepMinimizer, TellsSourceAndStoreWhichBatchIsNext) {
  auto mem = small_mem();
  mem.batch_size = 2;
  mem.rounds = 1;
  for (const bool shared : {false, true}) {
    HintedPairs pairs;  // six signals with one caption each
    const Scope scope =
        shared ? Scope{.noise = GroupMap::universal(6), .triggers = GroupMap::per_row(6)}
               : Scope::of(pairs);
    RunState<HintedNoise> state{.noise = HintedNoise(scope.noise.groups(), pairs.elements()),
                                .triggers = TriggerTable(6, testing::two_words),
                                .scope = scope};
    TwoTowers model(pairs.elements());
    testing::RunRng rng(3);
    (void)mem.minimize(model, pairs, state, rng);
    // Three steps of one epoch, three trigger batches, three noise batches: none after the last.
    EXPECT_EQ(pairs.log.loads.size(), 9U);
    EXPECT_EQ(check_hints(pairs.log), 6U);
    EXPECT_EQ(state.noise.log.loads.size(), 9U);
    // Shared noise changes before it is loaded again.
    EXPECT_EQ(check_hints(state.noise.log), shared ? 4U : 6U);
  }
}

TEST(MultiStepMinimizer, GivesTheSameBytesByEveryPolicyOfTheHosts) {
  for (const bool shared : {false, true}) {
    const auto run_by = [&](const auto& policy) {
      Example<> example;
      if (shared) {
        example.share({.noise = GroupMap::universal(6), .triggers = GroupMap::per_row(6)});
      }
      (void)small_mem().minimize(policy, example.model, example.pairs, example.state, example.rng);
      return example.everything();
    };
    const std::string expected = run_by(sequential);
    EXPECT_EQ(run_by(Parallel{.threads = 1}), expected);
    EXPECT_EQ(run_by(Parallel{.threads = 3}), expected);
  }
}

}  // namespace
}  // namespace unlearn
