// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/l2_ball.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::InvalidArgument;
using unlearn::L2Ball;
using unlearn::SplitMix64;
using unlearn::testing::infinity_f;
using unlearn::testing::random_numbers;

template <class T>
std::vector<T> projected(double radius, std::vector<T> sample) {
  L2Ball{.radius = radius}.project(std::span(sample));
  return sample;
}

template <class T>
double norm(const std::vector<T>& sample) {
  long double squares = 0;
  for (const T number : sample) squares += static_cast<long double>(number) * number;
  return static_cast<double>(std::sqrt(squares));
}

TEST(L2Ball, ScalesWhatIsOutside) {
  EXPECT_THAT(projected<float>(2.5, {3, -4}), ElementsAre(1.5F, -2));
}

TEST(L2Ball, LeavesWhatIsInside) {
  EXPECT_THAT(projected<double>(5, {3, -4}), ElementsAre(3, -4));
  EXPECT_THAT(projected<float>(5.5, {3, -4}), ElementsAre(3, -4));
  EXPECT_THAT(projected<float>(1, {0, 0}), ElementsAre(0, 0));
  EXPECT_THAT(projected<float>(1, {}), ElementsAre());
}

TEST(L2Ball, OfRadiusZeroIsZero) { EXPECT_THAT(projected<float>(0, {3, -4}), ElementsAre(0, 0)); }

TEST(L2Ball, OfInfiniteRadiusIsNoBound) {
  EXPECT_THAT(projected<float>(unlearn::testing::infinity, {3, -4}), ElementsAre(3, -4));
}

TEST(L2Ball, DoesNotOverflow) {
  const std::vector<double> huge = projected<double>(5, {3e300, -4e300});
  EXPECT_DOUBLE_EQ(huge[0], 3);
  EXPECT_DOUBLE_EQ(huge[1], -4);
  if (unlearn::testing::fast_math) return;  // the reciprocal of the largest number is 0
  const std::vector<double> largest =
      projected<double>(2, std::vector<double>(4, std::numeric_limits<double>::max()));
  for (const double number : largest) EXPECT_DOUBLE_EQ(number, 1);
}

TEST(L2Ball, DoesNotUnderflow) {
  const std::vector<double> tiny = projected<double>(5e-301, {3e-300, -4e-300});
  EXPECT_DOUBLE_EQ(tiny[0], 3e-301);
  EXPECT_DOUBLE_EQ(tiny[1], -4e-301);
}

TEST(L2Ball, CountsEveryNumberAtEveryLength) {
  SplitMix64 rng(1);
  for (std::size_t size = 1; size < 40; ++size) {
    const std::vector<double> sample = random_numbers<double>(rng, size, -1, 1);
    const std::vector<double> inside = projected(norm(sample) / 3, sample);
    for (std::size_t i = 0; i < size; ++i) EXPECT_NEAR(inside[i], sample[i] / 3, 1e-15);
  }
}

TEST(L2Ball, GivesTheNearestPoint) {
  // p is the projection of x exactly when (x − p)·(q − p) ≤ 0 for all q of the ball.
  SplitMix64 rng(2);
  const std::vector<double> x = random_numbers<double>(rng, 6, -1, 1);
  const std::vector<double> p = projected(0.25, x);
  for (int trial = 0; trial < 200; ++trial) {
    const std::vector<double> q = projected(0.25, random_numbers<double>(rng, 6, -1, 1));
    double product = 0;
    for (std::size_t i = 0; i < p.size(); ++i) product += (x[i] - p[i]) * (q[i] - p[i]);
    EXPECT_LE(product, 1e-12);
  }
}

TEST(L2Ball, LeavesInfinityForTheObjectiveToReport) {
  EXPECT_THAT(projected<float>(1, {infinity_f, 1}), ElementsAre(infinity_f, 1));
}

TEST(L2Ball, RefusesARadiusThatIsNegativeOrNaN) {
  EXPECT_THROW(projected<float>(-1, {1}), InvalidArgument);
  EXPECT_THROW(projected<float>(unlearn::testing::nan, {1}), InvalidArgument);
}

}  // namespace
