// SPDX-License-Identifier: Apache-2.0
#include "unlearn/models/in_turn.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <sstream>
#include <vector>

#include "mem/two_tower.hpp"
#include "models/towers.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"

namespace unlearn {
namespace {

using testing::Batch;
using testing::LinearTowers;
using testing::TwoTowers;

using Turns = InTurn<TwoTowers, LinearTowers>;
static_assert(DualEncoder<Turns, FloatBatch, InfoNce> && DualEncoder<Turns, PixelBatch, SigLip>);
static_assert(TrainableOn<Turns, FloatBatch, InfoNce> && Checkpointable<Turns>);

struct TurnModels {
  TwoTowers first{6, 2, testing::vocabulary};
  LinearTowers second{6, testing::vocabulary, 7};
  Batch batch{};

  template <class Model>
  void train(Model& model, int steps = 1) const {
    while (steps-- > 0) train_step_on(InfoNce{}, model, batch.signals(), batch.texts());
  }
};

/// The answers of `turns` are those of `model`.
template <class Model>
void expect_same(Turns& turns, Model& model, const Batch& batch) {
  EXPECT_EQ(turns.encode_signals(batch.signals()), model.encode_signals(batch.signals()));
  const Matrix texts = model.encode_texts(batch.texts());
  EXPECT_EQ(turns.encode_texts(batch.texts()), texts);
  EXPECT_EQ(turns.logit_scale(), model.logit_scale());
  const View<const float, 2> table = model.token_embeddings();
  EXPECT_EQ(turns.token_embeddings().data(), table.data());

  LossPullback one(InfoNce{}, texts, model.logit_scale());
  LossPullback two = one;
  Matrix gradients[2] = {Matrix(4, 6), Matrix(4, 6)};
  turns.signal_gradient(batch.signals(), one, View<float, 2>(gradients[0]));
  model.signal_gradient(batch.signals(), two, View<float, 2>(gradients[1]));
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(one.value(), two.value());

  std::vector<float> tokens[2];
  for (auto& of_one : tokens) of_one.resize(4 * 2 * table.extent(1));
  turns.text_gradient(batch.texts(), one, View<float, 3>(tokens[0], {4, 2, table.extent(1)}));
  model.text_gradient(batch.texts(), two, View<float, 3>(tokens[1], {4, 2, table.extent(1)}));
  EXPECT_EQ(tokens[0], tokens[1]);
}

TEST(InTurn, AnswersAsTheModelThatWasTrainedLast) {
  TurnModels m;
  Turns turns({.steps_per_turn = 2}, m.first, m.second);
  const std::vector<std::size_t> expected{0, 0, 0, 1, 1, 0, 0, 1};  // after 0, 1, ... steps
  for (const std::size_t current : expected) {
    ASSERT_EQ(turns.current(), current);
    if (current == 0) {
      expect_same(turns, m.first, m.batch);
    } else {
      expect_same(turns, m.second, m.batch);
    }
    m.train(turns);
  }
}

TEST(InTurn, TrainsOneModelAStep) {
  TurnModels m;
  TurnModels alone;
  Turns turns({.steps_per_turn = 2}, m.first, m.second);
  m.train(turns, 3);
  alone.train(alone.first, 2);
  alone.train(alone.second, 1);
  EXPECT_EQ(m.first.signal_weights, alone.first.signal_weights);
  EXPECT_EQ(m.second.signal_weights, alone.second.signal_weights);
}

/// Tells with which bias it was trained.
struct BiasedTowers : LinearTowers {
  using LinearTowers::LinearTowers;
  double trained_with = 0;
  template <class S, class N>
  double train_step(const SignalBatch<S, N>&, const TokenBatch&, const SigLip& loss) {
    trained_with = loss.bias;
    return 0;
  }
};
/// The same, without a bias of its own.
struct UnbiasedTowers : BiasedTowers {
  using BiasedTowers::BiasedTowers;
  double logit_bias() = delete;
};

TEST(InTurn, BindsTheLossToTheModelWhoseTurnItIs) {
  BiasedTowers biased(6, testing::vocabulary, 1);
  UnbiasedTowers unbiased(6, testing::vocabulary, 1);
  const Batch batch;
  InTurn turns({.steps_per_turn = 1}, biased, unbiased);
  const SigLip loss{.bias = -7};
  EXPECT_EQ(bound_loss(loss, turns).bias, -3);
  train_step_on(loss, turns, batch.signals(), batch.texts());
  EXPECT_EQ(biased.trained_with, -3);
  train_step_on(loss, turns, batch.signals(), batch.texts());
  EXPECT_EQ(unbiased.trained_with, -7) << "not the bias of the model that was trained before";
  EXPECT_EQ(bound_loss(loss, turns).bias, -7);
}

TEST(InTurn, ContinuesWhereItWasSaved) {
  TurnModels m;
  Turns turns({.steps_per_turn = 2}, m.first, m.second);
  m.train(turns, 3);
  std::stringstream saved;
  turns.save(saved);

  TurnModels other;
  Turns restored({.steps_per_turn = 2}, other.first, other.second);
  restored.load(saved);
  EXPECT_FALSE(saved.fail());
  EXPECT_EQ(restored.current(), 1U);
  m.train(turns, 2);
  m.train(restored, 2);
  EXPECT_EQ(other.first.signal_weights, m.first.signal_weights);
  EXPECT_EQ(other.second.signal_weights, m.second.signal_weights);
}

TEST(InTurn, NeedsAStepInEachTurn) {
  TurnModels m;
  EXPECT_THROW(Turns({.steps_per_turn = 0}, m.first, m.second), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
