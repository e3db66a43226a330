// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/siglip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <concepts>

#include "contrast/differences.hpp"
#include "contrast/reference_info_nce.hpp"
#include "contrast/reference_siglip.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/model_loss.hpp"

namespace unlearn {
namespace {

using testing::differences;
using testing::expect_relative;
using testing::infinity;
using testing::message_of;
using testing::nan;
using testing::random_matrix;
using testing::reference_siglip;
using testing::turned_axes;
using Wide = MatrixOf<double>;

/// All five derivatives against differences of the definition.
void expect_gradients(const Wide& a, const Wide& b, double scale, double bias) {
  const auto result = siglip(a, b, scale, bias);
  const auto of_a = [&](const Wide& x) { return reference_siglip(x, b, scale, bias); };
  const auto of_b = [&](const Wide& x) { return reference_siglip(a, x, scale, bias); };
  expect_relative(result.grad_a, differences(a, 1e-7, of_a), 1e-9);
  expect_relative(result.grad_b, differences(b, 1e-7, of_b), 1e-9);
  // Terms of either sign may cancel in these sums: their rounding is relative to the largest.
  const long double h = 1e-7L;
  const auto of_scale = [&](long double s) {
    return reference_siglip(a, b, scale * std::exp(s), bias);
  };
  const auto of_bias = [&](long double x) { return reference_siglip(a, b, scale, bias + x); };
  EXPECT_NEAR(result.grad_log_scale, static_cast<double>((of_scale(h) - of_scale(-h)) / (2 * h)),
              1e-9 * scale * result.value);
  EXPECT_NEAR(result.grad_bias, static_cast<double>((of_bias(h) - of_bias(-h)) / (2 * h)),
              1e-9 * result.value);
}

TEST(SigLip, IsItsDefinition) {
  SplitMix64 rng(1);
  for (const double bias : {-10.0, 0.0, 3.5}) {
    for (const double scale : {1.0, 10.0, 100.0, 1000.0}) {
      for (std::size_t pairs = 1; pairs <= 17; ++pairs) {
        const Wide a = random_matrix<double>(pairs, 6, rng);
        const Wide b = random_matrix<double>(pairs, 6, rng);
        const long double expected = reference_siglip(a, b, scale, bias);
        expect_relative(siglip(a, b, scale, bias).value, expected, 1e-12);
        expect_relative(siglip_value(a, b, scale, bias), expected, 1e-12);
      }
    }
  }
}

TEST(SigLip, HasTheGradientsOfItsValue) {
  SplitMix64 rng(2);
  for (const double bias : {-10.0, 0.0, 3.5}) {
    for (const double scale : {1.0, 10.0, 100.0}) {
      for (const std::size_t pairs : {1U, 2U, 5U, 12U}) {
        expect_gradients(random_matrix<double>(pairs, 5, rng), random_matrix<double>(pairs, 5, rng),
                         scale, bias);
      }
    }
  }
}

// Pairs at similarity 1 and others at 0: with a scale of 200 and a bias of −100 all is answered
// right, and the loss is 1e-43 in the end.
TEST(SigLip, IsAsAccurateNearZeroAsElsewhere) {
  double smallest = 1;
  for (const double angle : {0.0, 0.05, 0.3, 0.55, 0.7}) {
    const Wide a = turned_axes<double>(6, 7, 0);
    const Wide b = turned_axes<double>(6, 7, angle);
    const auto result = siglip(a, b, 200, -100);
    expect_relative(result.value, reference_siglip(a, b, 200, -100), 1e-12);
    smallest = std::min(smallest, result.value);
    expect_gradients(a, b, 200, -100);
  }
  EXPECT_LT(smallest, 1e-41);
  EXPECT_GT(smallest, 0);
}

TEST(SigLip, IsSymmetric) {
  SplitMix64 rng(3);
  const Wide a = random_matrix<double>(9, 4, rng);
  const Wide b = random_matrix<double>(9, 4, rng);
  const auto result = siglip(a, b, 10, -3);
  const auto exchanged = siglip(b, a, 10, -3);
  expect_relative(exchanged.value, result.value, 1e-14);
  expect_relative(exchanged.grad_a, result.grad_b, 1e-13);
  expect_relative(exchanged.grad_b, result.grad_a, 1e-13);
  expect_relative(exchanged.grad_log_scale, result.grad_log_scale, 1e-13);
  expect_relative(exchanged.grad_bias, result.grad_bias, 1e-13);
}

TEST(SigLip, DoesNotSeeTheLengthOfEmbeddings) {
  SplitMix64 rng(4);
  const Wide a = random_matrix<double>(6, 8, rng);
  const Wide b = random_matrix<double>(6, 8, rng);
  const auto result = siglip(a, b, 10, -3);
  for (const double factor : {1e-6, 0.3, 1e200}) {
    const auto scaled = siglip(Wide(factor * a), b, 10, -3);
    expect_relative(scaled.value, result.value, 1e-13);
    expect_relative(Wide(factor * scaled.grad_a), result.grad_a, 1e-12);
    expect_relative(scaled.grad_b, result.grad_b, 1e-12);
  }
}

TEST(SigLip, OfFloatsIsComputedInDouble) {
  if (testing::fast_math) GTEST_SKIP() << "sums depend on the loop around them";
  SplitMix64 rng(5);
  const Matrix a = random_matrix<float>(10, 7, rng);
  const Matrix b = random_matrix<float>(10, 7, rng);
  const auto result = siglip(a, b, 100, -10);
  static_assert(std::same_as<decltype(result), const SigLipResult<float>>);
  const auto wide = siglip(Wide(a.cast<double>()), Wide(b.cast<double>()), 100, -10);
  EXPECT_EQ(result.value, wide.value);
  EXPECT_EQ(result.grad_a, wide.grad_a.cast<float>());
  EXPECT_EQ(result.grad_b, wide.grad_b.cast<float>());
  EXPECT_EQ(result.grad_log_scale, wide.grad_log_scale);
  EXPECT_EQ(result.grad_bias, wide.grad_bias);
}

TEST(SigLip, PutsARowOfZerosAtSimilarityZero) {
  SplitMix64 rng(6);
  Wide a = random_matrix<double>(5, 4, rng);
  const Wide b = random_matrix<double>(5, 4, rng);
  a.row(2).setZero();
  const auto result = siglip(a, b, 10, -3);
  expect_relative(result.value, reference_siglip(a, b, 10, -3), 1e-13);
  EXPECT_TRUE(result.grad_a.allFinite() && result.grad_b.allFinite());
}

TEST(SigLip, AnswersNanForWhatIsNotFinite) {
  SplitMix64 rng(7);
  const Wide good = random_matrix<double>(5, 19, rng);
  for (const double wrong : {nan, infinity, -infinity}) {
    for (Eigen::Index i = 0; i < good.rows(); ++i) {
      Wide bad = good;
      bad(i, 3 * i) = wrong;
      EXPECT_TRUE(is_nan(siglip(bad, good, 10, -10).value));
      EXPECT_TRUE(is_nan(siglip(good, bad, 10, -10).value));
      EXPECT_TRUE(is_nan(siglip_value(bad, good, 10, -10)));
      EXPECT_TRUE(is_nan(siglip_value(good, bad, 10, -10)));
    }
    for (const Eigen::Index pairs : {1, 2}) {
      const Wide opposite = Eigen::VectorXd::LinSpaced(pairs, -1, 1);
      EXPECT_TRUE(is_nan(siglip(opposite, opposite, wrong, 0).value)) << wrong;
      EXPECT_TRUE(is_nan(siglip_value(opposite, opposite, 10, wrong))) << wrong;
      EXPECT_TRUE(is_nan(siglip(opposite, opposite, 10, wrong).value)) << wrong;
    }
  }
}

TEST(SigLip, NamesAWrongShape) {
  const Wide a = Wide::Ones(4, 3);
  const std::string rows = "embeddings b: expected 4 x 3, got 5 x 3";
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)siglip(a, Wide(5, 3), 1, 0); }), rows);
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)siglip_value(a, Wide(5, 3), 1, 0); }), rows);
  const std::string none = "pairs of embeddings: expected at least 1, got 0";
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)siglip(Wide(0, 3), Wide(0, 3), 1, 0); }), none);
}

TEST(SigLip, AsAPolicyIsTheSame) {
  SplitMix64 rng(8);
  const Matrix a = random_matrix<float>(4, 3, rng);
  const Matrix b = random_matrix<float>(4, 3, rng);
  const auto expected = siglip(a, b, 10, -2);
  const auto result = SigLip{.bias = -2}(a, b, 10);
  EXPECT_EQ(result.value, expected.value);
  EXPECT_EQ(result.grad_a, expected.grad_a);
  EXPECT_EQ(result.grad_b, expected.grad_b);
  EXPECT_EQ(SigLip{.bias = -2}.value(a, b, 10), siglip_value(a, b, 10, -2));
}

// --- What a model has learnt
// ----------------------------------------------------------------------

struct WithBias {
  float learnt = -4;
  float logit_bias() { return learnt; }
};
struct WithoutBias {};

TEST(BoundLoss, HasTheBiasThatTheModelHasNow) {
  WithBias model;
  EXPECT_EQ(bound_loss(SigLip{.bias = 2}, model).bias, -4);
  model.learnt = -5;
  EXPECT_EQ(bound_loss(SigLip{.bias = 2}, model).bias, -5);
}

TEST(BoundLoss, IsTheLossItselfForAModelThatLearnsNone) {
  WithoutBias model;
  EXPECT_EQ(bound_loss(SigLip{.bias = 2}, model).bias, 2);
}

}  // namespace
}  // namespace unlearn
