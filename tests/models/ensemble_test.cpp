// SPDX-License-Identifier: Apache-2.0
#include "unlearn/models/ensemble.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <sstream>
#include <tuple>
#include <type_traits>
#include <vector>

#include "mem/two_tower.hpp"
#include "message_of.hpp"
#include "models/towers.hpp"
#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"

namespace unlearn {
namespace {

using testing::Batch;
using testing::differences;
using testing::distance;
using testing::Doubles;
using ::testing::HasSubstr;
using testing::LinearTowers;
using testing::TwoTowers;

using Pair = Ensemble<TwoTowers, LinearTowers>;
using PairLoss = Pair::LossOf<InfoNce>;
static_assert(DualEncoder<Pair, FloatBatch, PairLoss> && DualEncoder<Pair, PixelBatch, PairLoss>);
static_assert(!DualEncoder<Pair, FloatBatch, InfoNce>, "it minimises averaged(InfoNce{})");
static_assert(TrainableOn<Pair, FloatBatch, PairLoss> && Checkpointable<Pair>);
static_assert(ContrastiveLoss<PairLoss> && std::is_trivially_copyable_v<PairLoss>);
static_assert(std::is_aggregate_v<PairLoss>);

/// Two models of other types and widths: D is 4 and 5, E is 3 and 2.
struct Models {
  TwoTowers first{6, 2, testing::vocabulary};
  LinearTowers second{6, testing::vocabulary, 7};
  Batch batch{};
  Pair both{first, second};

  template <class Loss>
  auto bound(const Loss& loss) {
    return bound_loss(both.averaged(loss), both);
  }
  /// The mean of the losses, in double.
  double reference(const Doubles& x, const Doubles& to_first, const Doubles& to_second) const {
    const TokenBatch texts = batch.texts();
    const double one =
        info_nce_value(testing::signals_by(first, x), testing::texts_by(first, texts, to_first), 6);
    const double two = info_nce_value(testing::signals_by(second, x),
                                      testing::texts_by(second, texts, to_second), 3);
    return (one + two) / 2;
  }
};

TEST(Ensemble, HasTheMeanOfTheLossesAndItsGradientWithRespectToSignals) {
  Models m;
  const Matrix texts = m.both.encode_texts(m.batch.texts());
  LossPullback pullback(m.bound(InfoNce{}), texts, m.both.logit_scale());
  Matrix gradient(4, 6);
  m.both.signal_gradient(m.batch.signals(), pullback, View<float, 2>(gradient));

  const auto value = [&](const Doubles& x) {
    return m.reference(x, testing::no_offset(m.first, m.batch.texts()),
                       testing::no_offset(m.second, m.batch.texts()));
  };
  const Doubles at = m.batch.x.cast<double>();
  EXPECT_NEAR(pullback.value(), value(at), 1e-5);
  EXPECT_LT(distance(gradient, differences(value, at)), 1e-5);
  const Matrix signals = m.both.encode_signals(m.batch.signals());
  EXPECT_NEAR(m.bound(InfoNce{}).value(signals, texts, 1), value(at), 1e-5);
}

TEST(Ensemble, HasTheGradientOfTheMeanLossWithRespectToTokenEmbeddings) {
  Models m;
  const Matrix signals = m.both.encode_signals(m.batch.signals());
  LossPullback pullback(m.bound(InfoNce{}), signals, m.both.logit_scale());
  Matrix gradient(8, 5);  // [R · n, E_1 + E_2]
  m.both.text_gradient(m.batch.texts(), pullback, View<float, 3>(gradient.data(), {4, 2, 5}));

  const Doubles at = m.batch.x.cast<double>();
  const Doubles first = testing::no_offset(m.first, m.batch.texts());
  const Doubles second = testing::no_offset(m.second, m.batch.texts());
  Doubles expected(8, 5);
  expected.leftCols(3) =
      differences([&](const Doubles& offset) { return m.reference(at, offset, second); }, first);
  expected.rightCols(2) =
      differences([&](const Doubles& offset) { return m.reference(at, first, offset); }, second);
  EXPECT_LT(distance(gradient, expected), 1e-5);
  EXPECT_NEAR(pullback.value(), m.reference(at, first, second), 1e-5);
}

TEST(Ensemble, HasTheModelsTokenEmbeddingsSideBySideAsOfTheLastGradient) {
  Models m;
  const auto expect_table = [&] {
    const View<const float, 2> table = m.both.token_embeddings();
    ASSERT_EQ(table.extent(0), testing::vocabulary);
    EXPECT_EQ(as_eigen(table).leftCols(3), m.first.embeddings);
    EXPECT_EQ(as_eigen(table).rightCols(2), m.second.embeddings);
  };
  expect_table();
  std::ignore = m.both.encode_texts(m.batch.texts());
  m.both.train_step(m.batch.signals(), m.batch.texts(), m.both.averaged(InfoNce{}));
  expect_table();

  m.first.embeddings(3, 1) += 1;  // trained elsewhere
  const Matrix signals = m.both.encode_signals(m.batch.signals());
  LossPullback pullback(m.bound(InfoNce{}), signals, 1);
  std::vector<float> gradient(4 * 2 * 5);
  m.both.text_gradient(m.batch.texts(), pullback, View<float, 3>(gradient, {4, 2, 5}));
  expect_table();
}

TEST(Ensemble, HasTheGradientsOfItsLossInClosedForm) {
  Models m;
  const Matrix a = m.both.encode_signals(m.batch.signals());
  const Matrix b = m.both.encode_texts(m.batch.texts());
  const auto result = m.bound(InfoNce{})(a, b, 1);
  EXPECT_EQ(result.value, m.bound(InfoNce{}).value(a, b, 1));
  const auto mean = [&](const Doubles& x, const Doubles& y) {
    return (info_nce_value(Doubles(x.leftCols(4)), Doubles(y.leftCols(4)), 6) +
            info_nce_value(Doubles(x.rightCols(5)), Doubles(y.rightCols(5)), 3)) /
           2;
  };
  const Doubles x = a.cast<double>();
  const Doubles y = b.cast<double>();
  EXPECT_LT(distance(result.grad_a, differences([&](const Doubles& at) { return mean(at, y); }, x)),
            1e-5);
  EXPECT_LT(distance(result.grad_b, differences([&](const Doubles& at) { return mean(x, at); }, y)),
            1e-5);
}

TEST(Ensemble, BindsTheLossToEachModelsParameters) {
  Models m;
  std::ignore = m.both.encode_texts(m.batch.texts());
  const auto loss = m.bound(SigLip{.bias = -1});
  EXPECT_EQ(loss.members[0].loss.bias, -1) << "of a model without a bias";
  EXPECT_EQ(loss.members[1].loss.bias, -3) << "of a model that has one";
  EXPECT_EQ(loss.members[0].logit_scale, 6);
  EXPECT_EQ(loss.members[1].logit_scale, 3);
}

/// InfoNce without a scorer.
struct Unscored {
  template <class A, class B>
  auto operator()(const A& a, const B& b, double scale) const {
    return InfoNce{}(a, b, scale);
  }
  template <class A, class B>
  double value(const A& a, const B& b, double scale) const {
    return InfoNce{}.value(a, b, scale);
  }
};

template <class Loss>
void expect_scores_as_the_whole_loss(const Loss& of_member) {
  Models m;
  const Matrix signals = m.both.encode_signals(m.batch.signals());
  const Matrix texts = m.both.encode_texts(m.batch.texts());
  const auto loss = m.bound(of_member);
  auto fast = caption_scorer_for(loss, signals, texts, 1, Parallel{2});
  static_assert(CaptionScorer<decltype(fast)>);
  FullLossScorer full(loss, signals, texts, 1);
  EXPECT_NEAR(fast.loss(), full.loss(), 1e-9);

  const std::vector<Index> captions{2, 0, 2};
  const Matrix others = testing::drawn_matrix<float>(3, 9, 5);
  std::vector<double> scores(3, -1);
  std::vector<double> expected(3, -2);
  fast.score(captions, others, std::span(scores));
  full.score(captions, others, std::span(expected));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(scores[i], expected[i], 1e-6);

  const std::span<const Index> two = std::span(captions).first(2);
  const View<const float, 2> their = View<const float, 2>(others).slice(0, 2);
  EXPECT_NEAR(fast.loss_with(two, their), full.loss_with(two, their), 1e-6);
  fast.replace(two, their);
  full.replace(two, their);
  EXPECT_NEAR(fast.loss(), full.loss(), 1e-6);
}

TEST(Ensemble, ScoresCaptionsByTheMembersScorers) {
  expect_scores_as_the_whole_loss(InfoNce{});
  expect_scores_as_the_whole_loss(SigLip{});
  expect_scores_as_the_whole_loss(Unscored{});
}

TEST(Ensemble, TrainsEachModelOnItsOwnLoss) {
  Models m;
  TwoTowers first = m.first;
  LinearTowers second = m.second;
  const auto signals = m.batch.signals();
  const double mean = (first.train_step(signals, m.batch.texts(), InfoNce{}) +
                       second.train_step(signals, m.batch.texts(), InfoNce{})) /
                      2;
  EXPECT_NEAR(train_step_on(m.both.averaged(InfoNce{}), m.both, signals, m.batch.texts()), mean,
              1e-12);
  EXPECT_EQ(m.first.signal_weights, first.signal_weights);
  EXPECT_EQ(m.second.signal_weights, second.signal_weights);
}

TEST(Ensemble, SavesModelsThatReadAllThereIs) {
  Models m;
  LinearTowers third(6, testing::vocabulary, 9);
  Ensemble three(m.second, third, m.first);
  std::stringstream saved;
  three.save(saved);

  Models other;
  other.first.signal_weights.setZero();
  other.second.signal_weights.setZero();
  LinearTowers other_third(6, testing::vocabulary, 1);
  Ensemble restored(other.second, other_third, other.first);
  restored.load(saved);
  EXPECT_FALSE(saved.fail());
  EXPECT_EQ(other.first.signal_weights, m.first.signal_weights);
  EXPECT_EQ(other.second.signal_weights, m.second.signal_weights);
  EXPECT_EQ(other_third.signal_weights, third.signal_weights);

  std::istringstream cut(saved.str().substr(0, saved.str().size() - 1));
  restored.load(cut);
  EXPECT_TRUE(cut.fail()) << "a file that was cut off";
}

TEST(Ensemble, SaysWhatDoesNotFit) {
  Models m;
  const Matrix x = testing::drawn_matrix<float>(4, 9, 1);
  EXPECT_THAT(testing::message_of<InvalidArgument>(
                  [&] { std::ignore = m.both.averaged(InfoNce{}).value(x, x, 1); }),
              HasSubstr("columns of an ensemble's embeddings: expected 0, got 9"));
  LinearTowers other(6, testing::vocabulary + 1, 1);
  Ensemble mixed(m.second, other);
  EXPECT_THAT(testing::message_of<InvalidArgument>([&] { std::ignore = mixed.token_embeddings(); }),
              HasSubstr("vocabulary of an ensemble's model: expected 10, got 11"));
}

}  // namespace
}  // namespace unlearn
