// SPDX-License-Identifier: Apache-2.0
#include "unlearn/mem/multi_step_minimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mem/example_run.hpp"
#include "mem/plain_mem.hpp"
#include "mem/two_tower.hpp"
#include "special_numbers.hpp"
#include "unlearn/noise/l2_ball.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using testing::all_triggers;
using testing::AtSafePoints;
using testing::BothSamples;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::Example;
using testing::Floats;
using testing::noise_of;
using ::testing::Not;
using testing::Pixels;
using testing::RunRng;
using ::testing::SizeIs;
using testing::small_mem;
using testing::StateOf;
using testing::text_of;
using testing::two_words;
using testing::TwoTowerPairs;
using testing::TwoTowers;

// --- Composition ---------------------------------------------------------------------------------

static_assert(std::is_aggregate_v<MultiStepMinimizer<>>);
static_assert(std::is_trivially_copyable_v<MultiStepMinimizer<L2Ball>>);

TEST(MultiStepMinimizer, IsComposedOfPoliciesByName) {
  const unlearn::MultiStepMinimizer mem{
      .descent = unlearn::ProjectedSignDescent{.step = 1.0 / 255, .steps = 8},
      .ball = unlearn::LinfBall{.radius = 8.0 / 255},
      .search = unlearn::HotFlipCandidateSearch{.candidates = 16},
      .beam = unlearn::BeamSearch{.width = 1},
      .shuffle = unlearn::CaptionShuffle{},
      .rounds = 3,
      .stop_loss = 0.01};
  static_assert(std::same_as<decltype(mem), const MultiStepMinimizer<>>);
  Example<> example;
  const RunResult result = example.run(mem);
  EXPECT_LE(result.rounds, 3U);
  EXPECT_EQ(result.train_steps, 200 * result.rounds);
}

TEST(MultiStepMinimizer, TakesTheTypesOfThePoliciesItIsGiven) {
  const MultiStepMinimizer few{.rounds = 3};
  const MultiStepMinimizer in_l2{.ball = L2Ball{.radius = 1}, .rounds = 3};
  const auto any = [](Index, std::span<const Token>) { return true; };
  const MultiStepMinimizer with_constraint{.constraint = any};
  static_assert(std::same_as<decltype(few), const MultiStepMinimizer<>>);
  static_assert(std::same_as<decltype(in_l2), const MultiStepMinimizer<L2Ball>>);
  static_assert(std::same_as<std::remove_cvref_t<decltype(with_constraint)>,
                             MultiStepMinimizer<LinfBall<>, FrontPlacement, InfoNce,
                                                std::remove_cvref_t<decltype(any)>>>);
}

// --- Comparison with the definition --------------------------------------------------------------

template <class Sample>
class AgainstTheDefinition : public ::testing::Test {
 protected:
  /// Two rounds of two optimiser steps, a trigger search and three noise steps.
  static void compare(const Scope& scope, std::uint64_t seed) {
    using Pairs = TwoTowerPairs<Sample>;
    Example<Pairs> example({}, seed);
    example.share(scope);
    TwoTowers model = example.model;
    testing::PlainMem<Sample> plain(model, example.pairs, scope, two_words);
    auto mem = small_mem();
    mem.shuffle.enabled = false;
    mem.batch_size = example.pairs.rows();
    mem.surrogate_steps = 2;
    mem.rounds = 2;
    const RunResult result = example.run(mem);
    for (int round = 0; round < 2; ++round) {
      for (int step = 0; step < 2; ++step) plain.train_step();
      plain.search_triggers(4);
      plain.descend(3, 1, 4);
    }
    for (Index g = 0; g < plain.triggers.size(); ++g) {
      EXPECT_THAT(example.state.triggers[g], ElementsAreArray(plain.triggers[g])) << g;
    }
    for (Index g = 0; g < plain.noise.size(); ++g) {
      EXPECT_EQ(noise_of(example.state, g), plain.noise[g]) << g;
    }
    EXPECT_EQ(result.rounds, 2U);
  }

  static GroupMap classes() { return GroupMap::by_label(std::vector<Index>{0, 1, 0, 1, 2, 0}); }
};
TYPED_TEST_SUITE(AgainstTheDefinition, BothSamples);

TYPED_TEST(AgainstTheDefinition, IsTheSameWithNoisePerSignalAndTriggersPerRow) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    this->compare({.noise = GroupMap::per_row(6), .triggers = GroupMap::per_row(6)}, seed);
  }
}

TYPED_TEST(AgainstTheDefinition, IsTheSameWhenClassesShare) {
  if (testing::fast_math) GTEST_SKIP() << "of nearly equal scores, another is the lower one";
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    this->compare({.noise = this->classes(), .triggers = this->classes()}, seed);
  }
}

TYPED_TEST(AgainstTheDefinition, IsTheSameWhenAllShare) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    this->compare({.noise = GroupMap::universal(6), .triggers = GroupMap::universal(6)}, seed);
  }
}

TYPED_TEST(AgainstTheDefinition, IsTheSameWhenNoiseAndTriggersAreSharedByOthers) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    this->compare({.noise = this->classes(), .triggers = GroupMap::per_row(6)}, seed);
    this->compare({.noise = GroupMap::per_row(6), .triggers = this->classes()}, seed);
  }
}

// Steps this long overshoot: the loss of the last step is often not the lowest.
TYPED_TEST(AgainstTheDefinition, KeepsTheLastNoiseNotTheBest) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Example<TwoTowerPairs<TypeParam>> example({}, seed);
    const Scope scope = Scope::of(example.pairs);
    testing::PlainMem<TypeParam> plain(example.model, example.pairs, scope, two_words);
    auto mem = small_mem();
    mem.shuffle.enabled = false;
    mem.batch_size = 6;
    mem.surrogate_steps = 0;
    mem.trigger_rounds = 0;
    mem.rounds = 1;
    mem.descent.step = 60.0 / 255;
    mem.ball.radius = 120.0 / 255;
    mem.descent.steps = 4;
    (void)example.run(mem);
    plain.descend(4, 60, 120);
    for (Index g = 0; g < 6; ++g) EXPECT_EQ(noise_of(example.state, g), plain.noise[g]) << g;
  }
}

// --- Results -------------------------------------------------------------------------------------

template <class Sample>
class OnBothSignals : public ::testing::Test {};
TYPED_TEST_SUITE(OnBothSignals, BothSamples);

template <class Pairs>
void expect_feasible(const Pairs& pairs, const StateOf<Pairs>& state, int& at_radius, int& at_end) {
  constexpr bool on_lattice = std::is_integral_v<typename Pairs::sample_type>;
  const float radius = on_lattice ? 4.0F : static_cast<float>(4.0 / 255);
  const float high = on_lattice ? 255.0F : 1.0F;
  for (Index row = 0; row < pairs.rows(); ++row) {
    const auto signal = pairs.signal(pairs.signal_of(row));
    const auto noise = noise_of(state, state.scope.noise.of(row));
    for (std::size_t e = 0; e < noise.size(); ++e) {
      const auto delta = static_cast<float>(noise[e]);
      const float sum = static_cast<float>(signal[e]) + delta;
      ASSERT_LE(std::abs(delta), radius);
      ASSERT_GE(sum, 0.0F);
      ASSERT_LE(sum, high);
      at_radius += static_cast<int>(std::abs(delta) == radius);
      at_end +=
          static_cast<int>(delta != 0 && std::abs(delta) < radius && (sum == 0.0F || sum == high));
    }
  }
}

TYPED_TEST(OnBothSignals, KeepsTheNoiseInTheBallAndTheSignalInItsRangeAfterEveryBatch) {
  for (const bool per_row : {false, true}) {
    Example<TwoTowerPairs<TypeParam>> example({.signals = 6, .captions = 2});
    if (per_row) {
      example.share({.noise = GroupMap::per_row(12), .triggers = GroupMap::per_row(12)});
    }
    int at_radius = 0;
    int at_end = 0;
    int points = 0;
    (void)example.run(small_mem(), AtSafePoints{[&](const auto& safe) {
                        expect_feasible(example.pairs, safe.state, at_radius, at_end);
                        ++points;
                      }});
    EXPECT_GT(points, 20);
    EXPECT_GT(at_radius, 0) << "the test must meet the ball";
    EXPECT_GT(at_end, 0) << "and the ends of the range";
  }
}

TYPED_TEST(OnBothSignals, KeepsSharedNoiseInTheBall) {
  Example<TwoTowerPairs<TypeParam>> example;
  example.share({.noise = GroupMap::universal(6), .triggers = GroupMap::per_row(6)});
  const float radius = std::is_integral_v<TypeParam> ? 4.0F : static_cast<float>(4.0 / 255);
  float largest = 0;
  (void)example.run(small_mem(), AtSafePoints{[&](const auto& safe) {
                      for (const auto delta : all_noise(safe.state)) {
                        largest = std::max(largest, std::abs(static_cast<float>(delta)));
                      }
                    }});
  EXPECT_EQ(largest, radius);
}

TEST(MultiStepMinimizer, BringsNoiseThatIsTooLargeBackIntoTheBall) {
  Example<> example;
  auto mem = small_mem();
  mem.ball.radius = 40.0 / 255;
  mem.descent.step = 20.0 / 255;
  (void)example.run(mem);
  EXPECT_THAT(all_noise(example.state), ::testing::Contains(::testing::Gt(4)));
  example.state.progress = {};
  (void)example.run(small_mem());
  EXPECT_THAT(all_noise(example.state),
              Each(::testing::AllOf(::testing::Ge(-4), ::testing::Le(4))));
}

TEST(MultiStepMinimizer, KeepsTheNoiseInAnotherBall) {
  Example<Floats> example;
  const MultiStepMinimizer mem{.descent = {.step = 1.0 / 255, .steps = 3},
                               .ball = L2Ball{.radius = 0.01},
                               .rounds = 2,
                               .surrogate_steps = 2,
                               .batch_size = 4};
  (void)example.run(mem);
  for (Index group = 0; group < 6; ++group) {
    double squares = 0;
    for (const float delta : noise_of(example.state, group)) squares += double{delta} * delta;
    EXPECT_LE(std::sqrt(squares), 0.01 * (1 + 1e-6));
    EXPECT_GT(squares, 0);
  }
}

TEST(MultiStepMinimizer, KeepsFloatSignalsInTheBoxItIsGiven) {
  Example<Floats> example;
  auto mem = small_mem();
  mem.ball.radius = 1;
  mem.descent.step = 0.5;
  mem.box = {.low = -0.25F, .high = 1.125F};
  (void)example.run(mem);
  float lowest = 0;
  float highest = 0;
  for (Index s = 0; s < 6; ++s) {
    const auto noise = noise_of(example.state, s);
    for (std::size_t e = 0; e < noise.size(); ++e) {
      lowest = std::min(lowest, example.pairs.signal(s)[e] + noise[e]);
      highest = std::max(highest, example.pairs.signal(s)[e] + noise[e]);
    }
  }
  EXPECT_FLOAT_EQ(lowest, -0.25F);
  EXPECT_FLOAT_EQ(highest, 1.125F);
}

TYPED_TEST(OnBothSignals, LowersTheLossFromRoundToRound) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const bool shuffled : {true, false}) {
      Example<TwoTowerPairs<TypeParam>> example({.signals = 10, .captions = 2, .elements = 8},
                                                seed);
      auto mem = small_mem();
      mem.rounds = 10;
      mem.surrogate_steps = 10;
      mem.batch_size = 10;
      mem.shuffle.enabled = shuffled;
      const auto trace = example.run(mem).trace;
      // With shuffled captions, the noise minimises another loss than that of the pairs.
      const auto loss = [&](std::size_t round) {
        return shuffled ? *trace[round].of(surrogate_stage) : *trace[round].of(noise_stage);
      };
      EXPECT_LT(loss(9), 0.9 * loss(3)) << shuffled;
      EXPECT_LT(loss(3), 0.8 * loss(0)) << shuffled;
    }
  }
}

/// The loss of all pairs as they would be published.
double published_loss(Example<>& example) {
  double loss = 0;
  auto mem = small_mem();
  mem.surrogate_steps = 1;
  mem.rounds = 1;
  mem.descent.steps = 0;
  mem.trigger_rounds = 0;
  mem.batch_size = example.pairs.rows();
  auto state = example.state;
  state.progress = {};
  TwoTowers model = example.model;
  RunRng rng(1);
  (void)mem.minimize(model, example.pairs, state, rng,
                     [&](const BatchEnd& event) { loss = event.loss; });
  return loss;
}

TEST(MultiStepMinimizer, LowersTheLossWithTriggersAloneAndWithNoiseAlone) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const bool triggers : {true, false}) {
      Example<> example({}, seed);
      auto mem = small_mem();
      mem.surrogate_steps = 0;
      mem.shuffle.enabled = false;
      mem.rounds = 2;
      mem.batch_size = 6;
      if (triggers) {
        mem.descent.steps = 0;
      } else {
        mem.trigger_rounds = 0;
      }
      const double before = published_loss(example);
      (void)example.run(mem);
      EXPECT_LT(published_loss(example), before);
    }
  }
}

TEST(MultiStepMinimizer, TakesTriggerTokensFromItsFilterOnly) {
  const std::vector<Token> allowed{10, 11, 12, 13, 14, 15, 16};
  const auto filter = TokenFilter::only(Pixels::vocabulary, allowed);
  const auto tokens = [](unlearn::TokenFilterRef which) {
    Example<> example;
    auto mem = small_mem();
    mem.filter = which;
    (void)example.run(mem);
    std::set<Token> used;
    for (const Token token : all_triggers(example.state.triggers)) used.insert(token);
    for (const Token token : two_words) used.erase(token);
    return used;
  };
  EXPECT_THAT(tokens(filter), ::testing::IsSubsetOf(allowed));
  EXPECT_THAT(tokens(filter), SizeIs(::testing::Ge(4U)));
  EXPECT_THAT(tokens({}), Not(::testing::IsSubsetOf(allowed)));
}

/// Row r must not have tokens that are equal to r modulo 3.
struct NotItsRemainder {
  bool operator()(Index row, std::span<const Token> trigger) const {
    return std::ranges::none_of(
        trigger, [&](Token token) { return token % 3 == static_cast<Token>(row % 3); });
  }
};

TEST(MultiStepMinimizer, GivesARowNoTriggerThatIsNotLegalForIt) {
  using Mem = MultiStepMinimizer<LinfBall<>, FrontPlacement, InfoNce, NotItsRemainder>;
  Example<> example;
  for (Index row = 0; row < 6; ++row) {
    for (Token& token : example.state.triggers[row]) token = static_cast<Token>(row + 4);
  }
  const auto before = all_triggers(example.state.triggers);
  (void)example.run(Mem{.search = {.candidates = 4},
                        .rounds = 3,
                        .trigger_rounds = 3,
                        .surrogate_steps = 2,
                        .batch_size = 4});
  for (Index row = 0; row < 6; ++row) {
    EXPECT_TRUE(NotItsRemainder()(row, example.state.triggers[row])) << row;
  }
  EXPECT_NE(all_triggers(example.state.triggers), before);
}

// Each batch has two rows. Some tokens are allowed for the rows of the batch, but not for another
// row.
TEST(MultiStepMinimizer, GivesAGroupNoTriggerThatIsNotLegalForEveryRowOfIt) {
  const auto constraint = [](Index row, std::span<const Token> trigger) {
    return row != 5 || std::ranges::none_of(trigger, [](Token token) { return token % 2 == 0; });
  };
  const MultiStepMinimizer<LinfBall<>, FrontPlacement, InfoNce, decltype(constraint)> mem{
      .search = {.candidates = 4},
      .constraint = constraint,
      .rounds = 4,
      .trigger_rounds = 4,
      .surrogate_steps = 2,
      .batch_size = 2};
  Example<> example;
  example.state = fresh_state(example.pairs, std::vector<Token>{5, 7},
                              {.noise = GroupMap::per_row(6), .triggers = GroupMap::universal(6)});
  (void)example.run(mem);
  EXPECT_THAT(example.state.triggers[0],
              Each(::testing::ResultOf([](Token t) { return t % 2; }, 1)));
  EXPECT_THAT(example.state.triggers[0], Not(ElementsAre(5, 7)));
}

TEST(MultiStepMinimizer, LooksForTheBestAmongTheLegalTriggers) {
  const auto constraint = [](Index, std::span<const Token> trigger) {
    return std::ranges::all_of(trigger, [](Token t) { return t == 3 || t == 5 || t == 6; });
  };
  const MultiStepMinimizer<LinfBall<>, FrontPlacement, InfoNce, decltype(constraint)> mem{
      .search = {.candidates = 1, .spares = 1000},
      .constraint = constraint,
      .rounds = 1,
      .trigger_rounds = 1,
      .surrogate_steps = 0};
  Example<> example;
  EXPECT_EQ(example.run(mem).hypotheses, 12U) << "one for each position of six triggers";
}

/// A ContrastiveLoss that the library does not know, with the same values.
struct MyLoss {
  auto operator()(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return info_nce(a, b, scale);
  }
  double value(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return info_nce_value(a, b, scale);
  }
};

TEST(MultiStepMinimizer, ComesToTheSameWithALossThatHasNoFastScoring) {
  Example<> known;
  Example<> unknown;
  const auto run = [](auto mem, auto& example) {
    mem.rounds = 3;
    mem.surrogate_steps = 2;
    mem.batch_size = 4;
    (void)example.run(mem);
  };
  run(MultiStepMinimizer<>{}, known);
  run(MultiStepMinimizer<LinfBall<>, FrontPlacement, MyLoss>{}, unknown);
  EXPECT_EQ(all_noise(unknown.state), all_noise(known.state));
  EXPECT_EQ(unknown.state.triggers, known.state.triggers);
}

/// Triggers after the caption, before its end token.
struct AtTheEnd {
  std::size_t length(std::size_t caption, std::size_t trigger) const { return caption + trigger; }
  void place(Index /*row*/, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    auto to = std::copy(caption.begin(), caption.end() - 1, out.begin());
    for (std::size_t p = 0; p < trigger.size(); ++p) {
      positions[p] = static_cast<std::int32_t>(caption.size() - 1 + p);
    }
    *std::copy(trigger.begin(), trigger.end(), to) = caption.back();
  }
};

TEST(MultiStepMinimizer, PutsTriggersWhereItsPlacementSays) {
  struct Checks : TwoTowers {
    using TwoTowers::TwoTowers;
    std::size_t rows_seen = 0;
    double train_step(const PixelBatch& signals, const TokenBatch& texts) {
      for (std::size_t r = 0; r < texts.size(); ++r) {
        const auto tokens = texts.sequence(r);
        EXPECT_THAT(tokens.last(3), ElementsAre(5, 6, Pixels::end));
        EXPECT_GE(tokens[1], Pixels::first_name);
        ++rows_seen;
      }
      return TwoTowers::train_step(signals, texts);
    }
  };
  Example<Pixels, Checks> example;
  (void)example.run(MultiStepMinimizer<LinfBall<>, AtTheEnd>{
      .rounds = 2, .trigger_rounds = 0, .surrogate_steps = 3, .batch_size = 4});
  EXPECT_EQ(example.model.rows_seen, 24U);
}

// --- Repeated runs -------------------------------------------------------------------------------

TYPED_TEST(OnBothSignals, GivesTheSameBytesForTheSameSeedAndOthersForAnother) {
  const auto run = [](std::uint64_t seed) {
    Example<TwoTowerPairs<TypeParam>> example;
    example.rng.seed(seed);
    (void)example.run(small_mem());
    return text_of(example.state);
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// Large enough that noise, candidates and scores are all divided among threads.
TYPED_TEST(OnBothSignals, GivesTheSameBytesForAnyNumberOfThreads) {
  using Pairs = TwoTowerPairs<TypeParam>;
  const auto run = [](unsigned threads) {
    Pairs pairs({.signals = 8, .elements = 25'000});
    TwoTowers model(pairs.elements(), 2, 4000);
    auto state = fresh_state(pairs, two_words);
    RunRng rng(3);
    auto mem = small_mem();
    mem.search.candidates = 32;
    mem.rounds = 1;
    mem.batch_size = 8;
    mem.surrogate_steps = 1;
    mem.execution.threads = threads;
    (void)mem.minimize(model, pairs, state, rng);
    EXPECT_NE(state.triggers, TriggerTable(8, two_words));
    return text_of(state, rng, model);
  };
  const std::string expected = run(1);
  EXPECT_TRUE(run(2) == expected);
  EXPECT_TRUE(run(3) == expected);
}

// --- Edge cases of sizes -------------------------------------------------------------------------

TEST(MultiStepMinimizer, TakesAllRowsWhenABatchIsLargerThanTheData) {
  auto mem = small_mem();
  mem.batch_size = 6;
  Example<> expected;
  (void)expected.run(mem);
  for (const std::size_t size :
       {std::size_t{7}, std::size_t{1000}, std::numeric_limits<std::size_t>::max()}) {
    Example<> example;
    mem.batch_size = size;
    (void)example.run(mem);
    EXPECT_EQ(example.everything(), expected.everything()) << size;
  }
}

}  // namespace
}  // namespace unlearn
