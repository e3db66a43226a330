// SPDX-License-Identifier: Apache-2.0
#include "unlearn/models/augmented.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <vector>

#include "mem/two_tower.hpp"
#include "models/towers.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using testing::Batch;
using testing::differences;
using testing::distance;
using testing::Doubles;
using ::testing::ElementsAreArray;
using testing::LinearTowers;
using testing::TwoTowers;

/// Shifts a signal round, drops its last number, and bends the rest:
/// y_j = tanh(g · x_((j + s) mod n)) + x_j² / 4, with s and g drawn.
struct Warp {
  struct Draw {
    std::size_t shift;
    double gain;
    explicit Draw(std::uint64_t seed) {
      SplitMix64 rng(seed);
      shift = uniform_below(6, rng);
      gain = 0.5 + static_cast<double>(uniform_below(1000, rng)) / 1000;
    }
  };
  template <class T>
  static T at(const Draw& draw, std::span<const T> x, std::size_t j) {
    return std::tanh(static_cast<T>(draw.gain) * x[(j + draw.shift) % x.size()]) + x[j] * x[j] / 4;
  }

  std::size_t elements(std::size_t n) const { return n - 1; }
  void apply(std::span<const std::uint64_t> seeds, View<const float, 2> x, View<float, 2> y) const {
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      for (std::size_t j = 0; j < y.extent(1); ++j) y[r][j] = at(Draw(seeds[r]), x.row(r), j);
    }
  }
  void pull_back(std::span<const std::uint64_t> seeds, View<const float, 2> x,
                 View<const float, 2> dy, View<float, 2> dx) const {
    std::ranges::fill(dx.flat(), 0.0F);
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      const Draw draw(seeds[r]);
      for (std::size_t j = 0; j < dy.extent(1); ++j) {
        const std::size_t from = (j + draw.shift) % x.extent(1);
        const auto gain = static_cast<float>(draw.gain);
        const float bent = std::tanh(gain * x[r][from]);
        dx[r][from] += dy[r][j] * gain * (1 - bent * bent);
        dx[r][j] += dy[r][j] * x[r][j] / 2;
      }
    }
  }
};

struct WithoutPullBack {
  std::size_t elements(std::size_t n) const { return n; }
  void apply(std::span<const std::uint64_t> seeds, View<const float, 2> x, View<float, 2> y) const;
};
static_assert(SignalTransform<Warp> && !SignalTransform<WithoutPullBack>);

using AugmentedTowers = Augmented<TwoTowers, Warp>;
static_assert(DualEncoder<AugmentedTowers, PixelBatch, InfoNce> &&
              DualEncoder<AugmentedTowers, FloatBatch, SigLip>);
static_assert(TrainableOn<AugmentedTowers, PixelBatch, InfoNce>);
static_assert(Checkpointable<AugmentedTowers>);
static_assert(!TokenRanker<AugmentedTowers>, "as the model inside");

Doubles warped(const Doubles& x, std::span<const std::uint64_t> seeds) {
  Doubles y(x.rows(), x.cols() - 1);
  for (Eigen::Index r = 0; r < x.rows(); ++r) {
    const std::span<const double> row(&x(r, 0), static_cast<std::size_t>(x.cols()));
    for (Eigen::Index j = 0; j < y.cols(); ++j) {
      y(r, j) = Warp::at(Warp::Draw(seeds[static_cast<std::size_t>(r)]), row,
                         static_cast<std::size_t>(j));
    }
  }
  return y;
}

TEST(Augmented, HasTheMeanGradientOverItsDraws) {
  TwoTowers model(5);
  const Matrix texts = testing::drawn_matrix<float>(4, TwoTowers::dimensions, 3);
  const Batch batch;
  for (const std::size_t draws : {1U, 3U}) {
    Augmented augmented(model, Warp{}, {.draws = draws, .seed = 5});
    LossPullback pullback(InfoNce{}, texts, TwoTowers::scale);
    Matrix gradient(4, 6);
    augmented.signal_gradient(batch.signals(), pullback, View<float, 2>(gradient));

    std::vector<std::vector<std::uint64_t>> seeds;
    for (std::size_t k = 0; k < draws; ++k) seeds.push_back(augmented.seeds_of(batch.x, k));
    const auto value = [&](const Doubles& x) {
      double sum = 0;
      for (const auto& of_draw : seeds) {
        const Doubles embedded = testing::signals_by(model, warped(x, of_draw));
        sum += info_nce_value(embedded, Doubles(texts.cast<double>()), TwoTowers::scale);
      }
      return sum / static_cast<double>(draws);
    };
    const Doubles at = batch.x.cast<double>();
    EXPECT_NEAR(pullback.value(), value(at), 1e-5);
    EXPECT_LT(distance(gradient, differences(value, at)), 1e-5);
  }
}

TEST(Augmented, GivesPixelsToTheModelAsFloats) {
  TwoTowers model(5);
  const std::vector<std::uint8_t> pixels{0, 255, 3, 100, 200, 255, 1, 2, 3, 4, 5, 6};
  const std::vector<std::int8_t> noise{1, -1, 0, 4, -4, 0, 1, 1, 1, -1, -1, -1};
  const PixelBatch batch{.clean = {pixels, {2, 6}}, .noise = {noise, {2, 6}}};
  const Matrix x = batch.perturbed();
  const FloatBatch same{.clean = x, .noise = {}};
  Augmented augmented(model, Warp{}, {.draws = 2});
  EXPECT_EQ(augmented.encode_signals(batch), augmented.encode_signals(same));

  const Matrix texts = testing::drawn_matrix<float>(2, TwoTowers::dimensions, 3);
  Matrix gradients[2] = {Matrix(2, 6), Matrix(2, 6)};
  LossPullback first(InfoNce{}, texts, 6);
  LossPullback second(InfoNce{}, texts, 6);
  augmented.signal_gradient(batch, first, View<float, 2>(gradients[0]));
  augmented.signal_gradient(same, second, View<float, 2>(gradients[1]));
  EXPECT_EQ(gradients[0], gradients[1]);
}

TEST(Augmented, EmbedsTheFirstDrawAndTheSameOneAtEachCall) {
  TwoTowers model(5);
  const Batch batch;
  Augmented augmented(model, Warp{}, {.draws = 4, .seed = 1});
  const Matrix embedded = augmented.encode_signals(batch.signals());
  const Doubles expected =
      testing::signals_by(model, warped(batch.x.cast<double>(), augmented.seeds_of(batch.x, 0)));
  EXPECT_LT(distance(embedded, expected), 1e-6);
  EXPECT_EQ(augmented.encode_signals(batch.signals()), embedded);
}

TEST(Augmented, DrawsByRowByDrawBySeedAndByIterate) {
  TwoTowers model(5);
  Batch batch;
  const auto seeds = [&](std::uint64_t seed, std::size_t draw) {
    return Augmented(model, Warp{}, {.seed = seed}).seeds_of(batch.x, draw);
  };
  const auto before = seeds(1, 0);
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t other = 0; other < r; ++other) EXPECT_NE(before[r], before[other]);
    EXPECT_NE(seeds(2, 0)[r], before[r]);
    EXPECT_NE(seeds(1, 1)[r], before[r]);
  }
  batch.x(2, 5) += 1.0F / 255;  // the noise of one row moves
  const auto after = seeds(1, 0);
  EXPECT_NE(after[2], before[2]);
  for (const std::size_t r : {0U, 1U, 3U}) EXPECT_EQ(after[r], before[r]);
}

TEST(Augmented, TrainsOnTransformedSignalsAndDrawsAnewAfterEachStep) {
  const TwoTowers untrained(5, 2, testing::vocabulary);
  TwoTowers inside = untrained;
  TwoTowers alone = untrained;
  const Batch batch;
  Augmented augmented(inside, Warp{});
  const auto seeds = augmented.seeds_of(batch.x, 0);
  Matrix y(4, 5);
  Warp{}.apply(std::span(seeds), View<const float, 2>(batch.x), View<float, 2>(y));
  const double expected =
      alone.train_step(FloatBatch{.clean = y, .noise = {}}, batch.texts(), InfoNce{});
  EXPECT_EQ(augmented.train_step(batch.signals(), batch.texts(), InfoNce{}), expected);
  EXPECT_EQ(inside.signal_weights, alone.signal_weights);
  EXPECT_NE(augmented.seeds_of(batch.x, 0), seeds);

  std::stringstream saved;
  augmented.save(saved);
  TwoTowers other = untrained;
  Augmented restored(other, Warp{});
  restored.load(saved);
  EXPECT_FALSE(saved.fail());
  EXPECT_EQ(other.signal_weights, inside.signal_weights);
  EXPECT_THAT(restored.seeds_of(batch.x, 0), ElementsAreArray(augmented.seeds_of(batch.x, 0)));
}

TEST(Augmented, PassesTextsAndTheLossesParametersThrough) {
  LinearTowers model(5, testing::vocabulary, 1);
  Augmented augmented(model, Warp{});
  const Batch batch;
  EXPECT_EQ(augmented.encode_texts(batch.texts()), model.encode_texts(batch.texts()));
  EXPECT_EQ(augmented.token_embeddings().data(), model.token_embeddings().data());
  EXPECT_EQ(augmented.logit_scale(), 3);
  EXPECT_EQ(bound_loss(SigLip{.bias = 0}, augmented).bias, -3);
}

TEST(Augmented, NeedsADraw) {
  TwoTowers model(5);
  EXPECT_THROW((Augmented(model, Warp{}, {.draws = 0})), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
