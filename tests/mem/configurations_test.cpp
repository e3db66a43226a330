// SPDX-License-Identifier: Apache-2.0
#include "unlearn/mem/configurations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using ::testing::Each;
using ::testing::Ge;
using ::testing::Le;
using ::testing::Not;
using testing::RunRng;
using ::testing::SizeIs;
using testing::two_words;
using testing::TwoTowerPairs;
using testing::TwoTowers;

using Pixels = TwoTowerPairs<std::uint8_t>;

// The settings of the paper and of its reference implementation.
static_assert(mem().rounds == 20 && mem().trigger_rounds == 5);
static_assert(mem().surrogate_steps == 200 && mem().batch_size == 128);
static_assert(mem().descent.steps == 8 && mem().descent.goal == Goal::minimize);
static_assert(mem().descent.step == 1.0 / 255 && mem().ball.radius == 8.0 / 255);
static_assert(mem().search.candidates == 16 && mem().beam.width == 1);
static_assert(mem().shuffle.enabled && mem().stop_loss == 0.01);

static_assert(em().rounds == 5 && em().surrogate_steps == 50 && em().trigger_rounds == 0);
static_assert(em().descent.steps == 8 && em().descent.goal == Goal::minimize);
static_assert(!em().shuffle.enabled && em().stop_loss == 0.01);
static_assert(em().ball.radius == 8.0 / 255 && em().batch_size == 128);

static_assert(uap().rounds == 1 && uap().surrogate_steps == 0 && uap().trigger_rounds == 0);
static_assert(uap().descent.goal == Goal::maximize && uap().descent.steps == 8);
static_assert(!uap().shuffle.enabled && uap().ball.radius == 8.0 / 255);

static_assert(training(7).rounds == 1 && training(7).surrogate_steps == 7);
static_assert(training(7).descent.steps == 0 && training(7).trigger_rounds == 0);

/// Counts its optimiser steps and its trigger gradients.
struct CountingTowers : TwoTowers {
  using TwoTowers::TwoTowers;
  int fits = 0;
  mutable int trigger_gradients = 0;

  double train_step(const PixelBatch& signals, const TokenBatch& texts) {
    ++fits;
    return TwoTowers::train_step(signals, texts);
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    ++trigger_gradients;
    TwoTowers::text_gradient(texts, pullback, out);
  }
};

class Configurations : public ::testing::Test {
 protected:
  /// The model's loss on all pairs, with their own captions and without triggers.
  double loss() {
    std::vector<Index> signals(pairs.rows());
    std::vector<std::uint8_t> clean(pairs.rows() * pairs.elements());
    std::vector<std::int8_t> noise(clean.size());
    TokenSequences sequences(FrontPlacement{}, 0);
    std::vector<Index> groups(pairs.rows());
    for (Index row = 0; row < pairs.rows(); ++row) {
      signals[row] = pairs.signal_of(row);
      groups[row] = state.scope.noise.of(row);
      sequences.add(row, pairs.caption(row), {});
    }
    pairs.load_signals(signals, View<std::uint8_t, 2>(clean, shape()));
    state.noise.load(groups, View<std::int8_t, 2>(noise, shape()));
    const PixelBatch batch{.clean = {clean.data(), shape()}, .noise = {noise.data(), shape()}};
    return info_nce_value(model.encode_signals(batch), model.encode_texts(sequences.batch()),
                          model.logit_scale());
  }

  [[nodiscard]] std::array<std::size_t, 2> shape() const {
    return {pairs.rows(), pairs.elements()};
  }
  [[nodiscard]] std::string weights() const {
    std::ostringstream out;
    model.save(out);
    return out.str();
  }

  Pixels pairs{{.signals = 10, .captions = 1, .elements = 8}};
  CountingTowers model{pairs.elements()};
  RunState<MemoryNoiseStore<std::int8_t>> state = fresh_state(pairs);
  RunRng rng{5};
};

TEST_F(Configurations, OfEmMinimiseTheLossByNoiseAloneAndLeaveTheTriggersOut) {
  const double before = loss();
  const RunResult result = em().minimize(model, pairs, state, rng);
  EXPECT_EQ(result.rounds, 5U);
  EXPECT_EQ(model.fits, 5 * 50);
  EXPECT_EQ(model.trigger_gradients, 0);
  EXPECT_EQ(result.hypotheses, 0U);
  EXPECT_EQ(state.triggers, TriggerTable(10, {}));
  EXPECT_THAT(all_noise(state), Not(Each(0)));
  EXPECT_THAT(all_noise(state), Each(::testing::AllOf(Ge(-8), Le(8))));
  EXPECT_LT(loss(), before);
  EXPECT_NEAR(result.loss.value(), loss(), 1e-6) << "of captions that stay in their places";
}

TEST_F(Configurations, OfEmNeverTouchTriggersThatAreThere) {
  state = fresh_state(pairs, two_words);
  (void)em().minimize(model, pairs, state, rng);
  EXPECT_EQ(state.triggers, TriggerTable(10, two_words));
}

TEST_F(Configurations, OfUapRaiseTheLossOfAModelThatStaysAsItIs) {
  auto clean = fresh_state(pairs);
  (void)training(200).minimize(model, pairs, clean, rng);
  const int fits = model.fits;
  const std::string trained = weights();
  const double before = loss();

  const RunResult result = uap().minimize(model, pairs, state, rng);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.rounds, 1U);
  EXPECT_EQ(model.fits, fits);
  EXPECT_EQ(model.trigger_gradients, 0);
  EXPECT_EQ(weights(), trained);
  EXPECT_GT(loss(), 1.05 * before);
  EXPECT_NEAR(result.loss.value(), loss(), 1e-6);
  EXPECT_THAT(all_noise(state), Each(::testing::AllOf(Ge(-8), Le(8))));
}

TEST_F(Configurations, OfTrainingTakeOptimiserStepsAndNothingElse) {
  state = fresh_state(pairs, two_words);
  auto noisy = testing::small_mem();
  noisy.rounds = 1;
  (void)noisy.minimize(model, pairs, state, rng);
  const auto noise = all_noise(state);
  const TriggerTable triggers = state.triggers;
  state.progress = {};
  model.fits = 0;
  model.trigger_gradients = 0;

  const RunResult result = training(17).minimize(model, pairs, state, rng);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.train_steps, 17U);
  EXPECT_EQ(model.fits, 17);
  EXPECT_EQ(model.trigger_gradients, 0);
  EXPECT_EQ(result.evaluations, 0U);
  EXPECT_EQ(all_noise(state), noise);
  EXPECT_THAT(noise, Not(Each(0)));
  EXPECT_EQ(state.triggers, triggers);
  ASSERT_THAT(result.trace, SizeIs(1));
  EXPECT_EQ(result.loss, result.trace[0].of(surrogate_stage));
}

// A hacker's training must not end early because the loss became small.
TEST_F(Configurations, OfTrainingDoNotConverge) {
  auto mem = training(3);
  mem.batch_size = 1;
  const RunResult result = mem.minimize(model, pairs, state, rng);
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.stop, StopReason::round_limit);
}

TEST_F(Configurations, OfMemGiveTriggersAndNoise) {
  state = fresh_state(pairs, std::vector<Token>(3, 4));
  auto few = mem();
  few.rounds = 2;
  const RunResult result = few.minimize(model, pairs, state, rng);
  EXPECT_EQ(model.fits, 200 * static_cast<int>(result.rounds));
  EXPECT_THAT(all_noise(state), Not(Each(0)));
  EXPECT_NE(state.triggers, TriggerTable(10, std::vector<Token>(3, 4)));
}

}  // namespace
}  // namespace unlearn
