// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/info_nce.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <concepts>

#include "contrast/differences.hpp"
#include "contrast/reference_info_nce.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn {
namespace {

using testing::differences;
using testing::expect_relative;
using testing::infinity;
using testing::nan;
using testing::random_matrix;
using testing::reference_info_nce;
using testing::turned_axes;
using Wide = MatrixOf<double>;

TEST(InfoNce, IsItsDefinition) {
  SplitMix64 rng(1);
  for (const double scale : {1.0, 14.3, 100.0, 1000.0}) {
    for (std::size_t pairs = 2; pairs <= 17; ++pairs) {
      const Wide a = random_matrix<double>(pairs, 6, rng);
      const Wide b = random_matrix<double>(pairs, 6, rng);
      const long double expected = reference_info_nce(a, b, scale);
      expect_relative(info_nce(a, b, scale).value, expected, 1e-12);
      expect_relative(info_nce_value(a, b, scale), expected, 1e-12);
    }
  }
}

TEST(InfoNce, HasTheGradientsOfItsValue) {
  SplitMix64 rng(2);
  for (const double scale : {1.0, 14.3, 100.0}) {
    for (std::size_t pairs = 2; pairs <= 17; ++pairs) {
      const Wide a = random_matrix<double>(pairs, 5, rng);
      const Wide b = random_matrix<double>(pairs, 5, rng);
      const auto result = info_nce(a, b, scale);
      const auto of_a = [&](const Wide& x) { return info_nce_value(x, b, scale); };
      const auto of_b = [&](const Wide& x) { return info_nce_value(a, x, scale); };
      expect_relative(result.grad_a, differences(a, 1e-6, of_a), 1e-6);
      expect_relative(result.grad_b, differences(b, 1e-6, of_b), 1e-6);

      const double h = 1e-6;
      const double slope =
          (info_nce_value(a, b, scale * std::exp(h)) - info_nce_value(a, b, scale * std::exp(-h))) /
          (2 * h);
      EXPECT_NEAR(result.grad_log_scale, slope, 1e-6 * (std::abs(slope) + result.value));
    }
  }
}

// Losses from 3 down to 4e-43. There p_ii − 1 would round to 0, and the gradient, too.
TEST(InfoNce, IsAsAccurateNearZeroAsElsewhere) {
  const double scale = 100;
  double smallest = 1;
  for (const double angle : {0.0, 0.05, 0.3, 0.55, 0.7, 0.8}) {
    const Wide a = turned_axes<double>(12, 13, 0);
    const Wide b = turned_axes<double>(12, 13, angle);
    const auto result = info_nce(a, b, scale);
    expect_relative(result.value, reference_info_nce(a, b, scale), 1e-12);
    expect_relative(info_nce_value(a, b, scale), reference_info_nce(a, b, scale), 1e-12);
    smallest = std::min(smallest, result.value);

    const auto of_a = [&](const Wide& x) { return reference_info_nce(x, b, scale); };
    const auto of_b = [&](const Wide& x) { return reference_info_nce(a, x, scale); };
    expect_relative(result.grad_a, differences(a, 1e-7, of_a), 1e-9);
    expect_relative(result.grad_b, differences(b, 1e-7, of_b), 1e-9);
    const long double h = 1e-7L;
    expect_relative(result.grad_log_scale,
                    (reference_info_nce(a, b, scale * std::exp(h)) -
                     reference_info_nce(a, b, scale * std::exp(-h))) /
                        (2 * h),
                    1e-9);
  }
  EXPECT_LT(smallest, 1e-42);
}

TEST(InfoNce, OfOnePairIsZero) {
  const Wide a{{1, 2, 3}};
  const Wide b{{-1, 0, 2}};
  const auto result = info_nce(a, b, 100);
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(info_nce_value(a, b, 100), 0);
  EXPECT_EQ(result.grad_a, Wide::Zero(1, 3));
  EXPECT_EQ(result.grad_b, Wide::Zero(1, 3));
  EXPECT_EQ(result.grad_log_scale, 0);
}

TEST(InfoNce, IsSymmetric) {
  SplitMix64 rng(3);
  const Wide a = random_matrix<double>(9, 4, rng);
  const Wide b = random_matrix<double>(9, 4, rng);
  const auto result = info_nce(a, b, 14.3);
  const auto exchanged = info_nce(b, a, 14.3);
  expect_relative(exchanged.value, result.value, 1e-14);
  expect_relative(exchanged.grad_a, result.grad_b, 1e-13);
  expect_relative(exchanged.grad_b, result.grad_a, 1e-13);
}

TEST(InfoNce, DoesNotSeeTheLengthOfEmbeddings) {
  SplitMix64 rng(4);
  const Wide a = random_matrix<double>(6, 8, rng);
  const Wide b = random_matrix<double>(6, 8, rng);
  const auto result = info_nce(a, b, 14.3);
  for (const double factor : {1e-6, 0.3, 1e200}) {
    const auto scaled = info_nce(Wide(factor * a), b, 14.3);
    expect_relative(scaled.value, result.value, 1e-13);
    expect_relative(Wide(factor * scaled.grad_a), result.grad_a, 1e-12);
    expect_relative(scaled.grad_b, result.grad_b, 1e-12);
  }
}

TEST(InfoNce, HasGradientsOrthogonalToTheEmbeddings) {
  SplitMix64 rng(5);
  const Wide a = random_matrix<double>(8, 6, rng);
  const Wide b = random_matrix<double>(8, 6, rng);
  const auto result = info_nce(a, b, 100);
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    EXPECT_NEAR(result.grad_a.row(i).dot(a.row(i)), 0, 1e-13 * result.grad_a.norm());
    EXPECT_NEAR(result.grad_b.row(i).dot(b.row(i)), 0, 1e-13 * result.grad_b.norm());
  }
}

TEST(InfoNce, OfFloatsIsComputedInDouble) {
  if (testing::fast_math) GTEST_SKIP() << "sums depend on the loop around them";
  SplitMix64 rng(6);
  const Matrix a = random_matrix<float>(10, 7, rng);
  const Matrix b = random_matrix<float>(10, 7, rng);
  const auto result = info_nce(a, b, 100);
  static_assert(std::same_as<decltype(result), const InfoNceResult<float>>);
  const auto wide = info_nce(Wide(a.cast<double>()), Wide(b.cast<double>()), 100);
  EXPECT_EQ(result.value, wide.value);
  EXPECT_EQ(result.grad_a, wide.grad_a.cast<float>());
  EXPECT_EQ(result.grad_b, wide.grad_b.cast<float>());
  EXPECT_EQ(result.grad_log_scale, wide.grad_log_scale);
}

TEST(InfoNce, TakesWhateverAViewIsWantedOf) {
  SplitMix64 rng(7);
  const Matrix a = random_matrix<float>(3, 4, rng);
  Matrix b = random_matrix<float>(3, 4, rng);
  const View<float, 2> writable(b);
  EXPECT_EQ(info_nce(a, writable, 2).value, info_nce(a, b, 2).value);
  EXPECT_EQ(info_nce_value(as_eigen(a), writable, 2), info_nce_value(a, b, 2));
}

TEST(InfoNce, PutsARowOfZerosAtSimilarityZero) {
  SplitMix64 rng(8);
  Wide a = random_matrix<double>(5, 4, rng);
  const Wide b = random_matrix<double>(5, 4, rng);
  a.row(2).setZero();
  const auto result = info_nce(a, b, 14.3);
  expect_relative(result.value, reference_info_nce(a, b, 14.3), 1e-13);
  EXPECT_TRUE(result.grad_a.allFinite() && result.grad_b.allFinite());

  // For norms below the floor of 1e-12, the loss is a function of a / 1e-12.
  const auto of_row = [&](const Wide& row) {
    Wide moved = a;
    moved.row(2) = row;
    return info_nce_value(moved, b, 14.3);
  };
  expect_relative(result.grad_a.row(2), differences(a.row(2), 1e-18, of_row), 1e-6);
}

TEST(InfoNce, AnswersNanForWhatIsNotFinite) {
  SplitMix64 rng(9);
  const Wide good = random_matrix<double>(5, 19, rng);
  for (const double wrong : {nan, infinity, -infinity}) {
    for (Eigen::Index i = 0; i < good.rows(); ++i) {
      Wide bad = good;
      bad(i, 3 * i) = wrong;
      EXPECT_TRUE(is_nan(info_nce(bad, good, 14.3).value));
      EXPECT_TRUE(is_nan(info_nce(good, bad, 14.3).value));
      EXPECT_TRUE(is_nan(info_nce_value(bad, good, 14.3)));
      EXPECT_TRUE(is_nan(info_nce_value(good, bad, 14.3)));
    }
    EXPECT_TRUE(is_nan(info_nce(good, good, wrong).value));
    EXPECT_TRUE(is_nan(info_nce_value(good, good, wrong)));
    // For one pair, or for opposite ones, every similarity is infinite, and none is NaN.
    for (const Eigen::Index pairs : {1, 2}) {
      const Wide opposite = Eigen::VectorXd::LinSpaced(pairs, -1, 1);
      EXPECT_TRUE(is_nan(info_nce(opposite, opposite, wrong).value)) << wrong;
      EXPECT_TRUE(is_nan(info_nce_value(opposite, opposite, wrong))) << wrong;
    }
  }
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(InfoNce, NamesAWrongShape) {
  const Wide a = Wide::Ones(4, 3);
  const std::string rows = "embeddings b: expected 4 x 3, got 5 x 3";
  EXPECT_EQ(message_of([&] { (void)info_nce(a, Wide(5, 3), 1); }), rows);
  EXPECT_EQ(message_of([&] { (void)info_nce_value(a, Wide(5, 3), 1); }), rows);
  EXPECT_EQ(message_of([&] { (void)info_nce(a, Wide(4, 2), 1); }),
            "embeddings b: expected 4 x 3, got 4 x 2");
  const std::string none = "pairs of embeddings: expected at least 1, got 0";
  EXPECT_EQ(message_of([&] { (void)info_nce(Wide(0, 3), Wide(0, 3), 1); }), none);
  EXPECT_EQ(message_of([&] { (void)info_nce_value(Wide(0, 3), Wide(0, 3), 1); }), none);
}

TEST(InfoNce, AsAPolicyIsTheSame) {
  SplitMix64 rng(10);
  const Matrix a = random_matrix<float>(4, 3, rng);
  const Matrix b = random_matrix<float>(4, 3, rng);
  const auto expected = info_nce(a, b, 14.3);
  const auto result = InfoNce{}(a, b, 14.3);
  EXPECT_EQ(result.value, expected.value);
  EXPECT_EQ(result.grad_a, expected.grad_a);
  EXPECT_EQ(result.grad_b, expected.grad_b);
  EXPECT_EQ(InfoNce{}.value(a, b, 14.3), info_nce_value(a, b, 14.3));
}

TEST(LossPullback, HoldsOneTowerFixed) {
  SplitMix64 rng(11);
  const Matrix a = random_matrix<float>(4, 3, rng);
  const Matrix b = random_matrix<float>(4, 3, rng);
  LossPullback pullback(InfoNce{}, View<const float, 2>(b), 14.3);
  EXPECT_EQ(pullback(a), info_nce(a, b, 14.3).grad_a);
  EXPECT_EQ(pullback.value(), info_nce(a, b, 14.3).value);
}

}  // namespace
}  // namespace unlearn
