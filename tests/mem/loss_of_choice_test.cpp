// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/with_loss.hpp"

namespace unlearn {
namespace {

using testing::RunRng;
using testing::small_mem;
using testing::text_of;
using testing::two_words;
using testing::TwoTowerPairs;
using testing::TwoTowers;

using Pixels = TwoTowerPairs<std::uint8_t>;

// A loss is exchanged, and nothing else.
constexpr auto other = with_loss(em(), SigLip{.bias = -4});
static_assert(other.loss.bias == -4 && with_loss(other, InfoNce{}).rounds == 5);
static_assert(other.rounds == 5 && other.surrogate_steps == 50 && other.trigger_rounds == 0);
static_assert(!other.shuffle.enabled && other.ball.radius == 8.0 / 255 && other.stop_loss == 0.01);
static_assert(with_loss(uap(), SigLip{}).descent.goal == Goal::maximize);

/// TwoTowers that learn a bias, too, from whichever loss has one.
struct BiasedTowers : TwoTowers {
  using TwoTowers::TwoTowers;
  double bias = -3;

  [[nodiscard]] double logit_bias() const { return bias; }

  template <class S, class N, class Loss>
  double train_step(const SignalBatch<S, N>& signals, const TokenBatch& texts, const Loss& loss) {
    const double slope = loss(encode_signals(signals), encode_texts(texts), scale).grad_bias;
    const double value = TwoTowers::train_step(signals, texts, loss);
    bias -= rate * slope;
    return value;
  }
};

/// How often each function of a loss was asked.
struct Calls {
  int gradients = 0;
  int values = 0;
  int scorers = 0;
};

/// SigLIP that says when it was asked with another bias than its model has at that moment.
struct WatchedLoss {
  const BiasedTowers* model;
  Calls* calls;
  double bias = not_a_number<double>();

  auto operator()(View<const float, 2> a, View<const float, 2> b, double scale) const {
    EXPECT_EQ(bias, model->bias);
    ++calls->gradients;
    return siglip(a, b, scale, bias);
  }
  [[nodiscard]] double value(View<const float, 2> a, View<const float, 2> b, double scale) const {
    EXPECT_EQ(bias, model->bias);
    ++calls->values;
    return siglip_value(a, b, scale, bias);
  }
  [[nodiscard]] SigLipScorer scorer(View<const float, 2> signals, View<const float, 2> texts,
                                    double scale, Parallel policy) const {
    EXPECT_EQ(bias, model->bias);
    ++calls->scorers;
    return {signals, texts, scale, bias, policy};
  }
  [[nodiscard]] WatchedLoss bound_to(BiasedTowers& current) const {
    return {.model = model, .calls = calls, .bias = current.bias};
  }
};

/// SigLIP without its scorer.
struct UnscoredSigLip {
  SigLip loss{};

  auto operator()(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return loss(a, b, scale);
  }
  [[nodiscard]] double value(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return loss.value(a, b, scale);
  }
  template <class Model>
  [[nodiscard]] UnscoredSigLip bound_to(Model& model) const {
    return {.loss = loss.bound_to(model)};
  }
};

class LossOfChoice : public ::testing::Test {
 protected:
  template <class Loss>
  RunResult run(const Loss& loss, BiasedTowers& model) {
    return with_loss(small_mem(), loss).minimize(model, pairs, state, rng);
  }

  Pixels pairs{{.signals = 8, .captions = 1, .elements = 8}};
  BiasedTowers towers{pairs.elements()};
  RunState<MemoryNoiseStore<std::int8_t>> state = fresh_state(pairs, two_words);
  RunRng rng{3};
};

TEST_F(LossOfChoice, FallsInEveryStageWithSigLip) {
  auto mem = with_loss(small_mem(), SigLip{});
  mem.rounds = 12;
  mem.trigger_rounds = 12;
  mem.surrogate_steps = 40;
  mem.batch_size = 8;
  const RunResult result = mem.minimize(towers, pairs, state, rng);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  const RoundLosses& first = result.trace.front();
  const RoundLosses& last = result.trace.back();
  EXPECT_LT(last.of(surrogate_stage), 0.7 * first.of(surrogate_stage).value());
  EXPECT_LT(last.of(trigger_stage), 0.7 * first.of(trigger_stage).value());
  EXPECT_LT(last.of(noise_stage), 0.9 * first.of(noise_stage).value());
  EXPECT_GT(std::abs(towers.bias + 3), 0.05) << "the bias is learnt";
}

TEST_F(LossOfChoice, HasTheModelsParametersOfTheMomentInEveryStage) {
  Calls calls;
  const RunResult result = run(WatchedLoss{.model = &towers, .calls = &calls}, towers);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  // 8 pairs in batches of 4: 2 trigger batches in each of 2 rounds, 2 noise batches in each of 3.
  EXPECT_EQ(calls.scorers, 4);
  EXPECT_EQ(calls.values, 6);
  // Two for each of 9 surrogate steps, one for a trigger batch and three for a noise batch.
  EXPECT_EQ(calls.gradients, 2 * 9 + 4 + 3 * 6);
  EXPECT_NE(towers.bias, -3);
}

TEST_F(LossOfChoice, FindsWithItsScorerWhatTheWholeLossFinds) {
  BiasedTowers slow = towers;
  (void)run(SigLip{}, towers);
  const auto fast_state = state;
  state = fresh_state(pairs, two_words);
  rng = RunRng{3};
  (void)run(UnscoredSigLip{}, slow);
  EXPECT_EQ(testing::all_triggers(state.triggers), testing::all_triggers(fast_state.triggers));
  EXPECT_EQ(testing::all_noise(state), testing::all_noise(fast_state));
  EXPECT_EQ(slow.bias, towers.bias);
}

TEST_F(LossOfChoice, IsInfoNceByDefaultToTheLastBit) {
  TwoTowers given{pairs.elements()};
  TwoTowers itself = given;
  struct OwnObjective : TwoTowers {
    double train_step(const PixelBatch& signals, const TokenBatch& texts) {
      return TwoTowers::train_step(signals, texts);
    }
  } own{itself};
  static_assert(TrainableOn<TwoTowers, PixelBatch, InfoNce>);
  static_assert(!TrainableOn<OwnObjective, PixelBatch, InfoNce>);
  (void)small_mem().minimize(given, pairs, state, rng);
  const std::string expected = text_of(state, rng, given);
  state = fresh_state(pairs, two_words);
  rng = RunRng{3};
  (void)small_mem().minimize(own, pairs, state, rng);
  EXPECT_EQ(text_of(state, rng, own), expected);
}

}  // namespace
}  // namespace unlearn
