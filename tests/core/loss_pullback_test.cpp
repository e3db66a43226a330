// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/loss_pullback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <utility>

#include "contrast/reference_info_nce.hpp"
#include "message_of.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using testing::message_of;
using testing::random_matrix;
using testing::reference_info_nce;

TEST(LossPullback, TurnsEmbeddingsIntoTheGradientOfTheLoss) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SplitMix64 rng(seed);
    const Matrix a = random_matrix<float>(5, 4, rng);
    const Matrix b = random_matrix<float>(5, 4, rng);
    LossPullback pullback(InfoNce{}, b, 6.0);
    const Matrix gradient = pullback(a);
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
      for (Eigen::Index d = 0; d < a.cols(); ++d) {
        const auto at = [&](double h) {
          MatrixOf<double> moved = a.cast<double>();
          moved(i, d) += h;
          return reference_info_nce(moved, b, 6.0L);
        };
        EXPECT_NEAR(gradient(i, d), static_cast<double>((at(1e-5) - at(-1e-5)) / 2e-5L), 1e-6);
      }
    }
    EXPECT_NEAR(pullback.value(), static_cast<double>(reference_info_nce(a, b, 6.0L)), 1e-12);
  }
}

TEST(LossPullback, HoldsTheLossOfItsLastCall) {
  SplitMix64 rng(1);
  const Matrix fixed = random_matrix<float>(4, 3, rng);
  const Matrix first = random_matrix<float>(4, 3, rng);
  const Matrix second = random_matrix<float>(4, 3, rng);
  LossPullback pullback(InfoNce{}, fixed, 3.0);
  (void)pullback(first);
  EXPECT_EQ(pullback.value(), info_nce_value(first, fixed, 3.0));
  (void)pullback(second);
  EXPECT_EQ(pullback.value(), info_nce_value(second, fixed, 3.0));
}

TEST(LossPullback, ServesEitherTower) {
  SplitMix64 rng(2);
  const Matrix signals = random_matrix<float>(4, 3, rng);
  const Matrix texts = random_matrix<float>(4, 3, rng);
  const auto both = info_nce(signals, texts, 3.0);
  LossPullback of_signals(InfoNce{}, texts, 3.0);
  LossPullback of_texts(InfoNce{}, signals, 3.0);
  EXPECT_TRUE(of_signals(signals).isApprox(both.grad_a, 1e-6F));
  EXPECT_TRUE(of_texts(texts).isApprox(both.grad_b, 1e-5F));
}

TEST(LossPullback, LooksAtTheFixedEmbeddingsWithoutACopy) {
  SplitMix64 rng(3);
  Matrix fixed = random_matrix<float>(4, 3, rng);
  const Matrix a = random_matrix<float>(4, 3, rng);
  LossPullback pullback(InfoNce{}, fixed, 3.0);
  fixed.row(1).swap(fixed.row(2));
  (void)pullback(a);
  EXPECT_EQ(pullback.value(), info_nce_value(a, fixed, 3.0));
}

TEST(LossPullback, RefusesEmbeddingsOfAnotherShape) {
  const Matrix fixed = Matrix::Ones(4, 3);
  LossPullback pullback(InfoNce{}, fixed, 3.0);
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)pullback(Matrix::Ones(5, 3).eval()); }),
              ::testing::HasSubstr("expected 5 x 3, got 4 x 3"));
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)pullback(Matrix::Ones(4, 2).eval()); }),
              ::testing::HasSubstr("expected 4 x 2, got 4 x 3"));
}

// --- ContrastiveLoss -----------------------------------------------------------------------------

/// A gradient may have any matrix type. This one is a view of a member of the loss.
template <class Gradient>
struct Answer {
  double value;
  Gradient grad_a;
  Gradient grad_b;
};

/// A minimal ContrastiveLoss: L = Σ a·b, with the gradients b and a.
struct Product {
  Answer<View<const float, 2>> operator()(View<const float, 2> a, View<const float, 2> b,
                                          double scale) const {
    return {value(a, b, scale), b, a};
  }
  double value(View<const float, 2> a, View<const float, 2> b, double /*scale*/) const {
    return as_eigen(a).cwiseProduct(as_eigen(b)).sum();
  }
};

template <class Result>
struct Answers {
  Result operator()(View<const float, 2> a, View<const float, 2> b, double scale) const;
  double value(View<const float, 2> a, View<const float, 2> b, double scale) const;
};
struct NoValue {
  double value;
};
struct OneGradient {
  double value;
  Matrix grad_a;
};
struct OtherGradient {
  double value;
  Matrix grad_b;
};
struct ValueInWords {
  const char* value;
  Matrix grad_a;
  Matrix grad_b;
};
struct NoValueAlone {
  Answer<Matrix> operator()(View<const float, 2> a, View<const float, 2> b, double scale) const;
};
struct NoGradients {
  double value(View<const float, 2> a, View<const float, 2> b, double scale) const;
};
struct NotConst {
  Answer<Matrix> operator()(View<const float, 2> a, View<const float, 2> b, double scale);
  double value(View<const float, 2> a, View<const float, 2> b, double scale);
};

static_assert(ContrastiveLoss<InfoNce> && ContrastiveLoss<Product>);
static_assert(ContrastiveLoss<Answers<Answer<Matrix>>>);
static_assert(!ContrastiveLoss<Answers<NoValue>>, "no gradients");
static_assert(!ContrastiveLoss<Answers<OneGradient>>, "no grad_b");
static_assert(!ContrastiveLoss<Answers<OtherGradient>>, "no grad_a");
static_assert(!ContrastiveLoss<Answers<ValueInWords>>, "the value is a number");
static_assert(!ContrastiveLoss<Answers<Answer<MatrixOf<double>>>>, "gradients are of floats");
static_assert(!ContrastiveLoss<Answers<Answer<View<const float, 1>>>>, "gradients are matrices");
static_assert(!ContrastiveLoss<NoValueAlone> && !ContrastiveLoss<NoGradients>);
static_assert(!ContrastiveLoss<NotConst>, "a loss is const");

TEST(LossPullback, WorksOnTheMinimalLoss) {
  const Matrix a{{1, 2}, {3, 4}};
  const Matrix b{{5, 6}, {7, 9}};
  LossPullback pullback(Product{}, b, 1.0);
  EXPECT_EQ(pullback(a), b);
  EXPECT_EQ(pullback.value(), 5 + 12 + 21 + 36);
}

TEST(LossPullback, CountsItsCalls) {
  const Matrix a{{1, 2}};
  LossPullback pullback(Product{}, a, 1.0);
  EXPECT_EQ(pullback.calls(), 0U);
  (void)pullback(a);
  EXPECT_EQ(pullback.calls(), 1U);
  (void)pullback(a);
  EXPECT_EQ(pullback.calls(), 2U);
}

struct OfThree : Product {
  static constexpr int least_pairs = 3;
};
static_assert(least_pairs_of<OfThree> == 3);
static_assert(least_pairs_of<Product> == 1, "unless the loss says more");
static_assert(least_pairs_of<InfoNce> == 2 && least_pairs_of<SigLip> == 1);

}  // namespace
}  // namespace unlearn
