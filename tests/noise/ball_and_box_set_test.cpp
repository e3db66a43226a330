// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/ball_and_box_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::BallAndBoxSet;
using unlearn::Box;
using unlearn::InvalidArgument;
using unlearn::L2Ball;
using unlearn::LinfBall;
using unlearn::Matrix;
using unlearn::parallel;
using unlearn::Parallel;
using unlearn::PerChannel;
using unlearn::sequential;
using unlearn::SplitMix64;
using unlearn::View;
using unlearn::testing::infinity_of;
using unlearn::testing::nan_of;
using unlearn::testing::random_gradient;
using unlearn::testing::random_numbers;
using unlearn::testing::same_bytes;

template <class T>
View<T, 2> as_row(std::vector<T>& numbers) {
  return {numbers.data(), {1, numbers.size()}};
}
template <class T>
View<const T, 2> as_row(const std::vector<T>& numbers) {
  return {numbers.data(), {1, numbers.size()}};
}

/// The reference: one step of a single sample in a box and a ball.
template <class BallT>
std::vector<float> stepped(const BallAndBoxSet<float, BallT>& set, std::vector<float> noise,
                           const std::vector<float>& grad, double signed_step) {
  set.sign_step(sequential, as_row(noise), as_row(grad), signed_step);
  return noise;
}

TEST(BallAndBoxSet, StepsAgainstOrAlongTheSignOfTheGradient) {
  const std::vector<float> clean(5, 0.5F);
  const BallAndBoxSet set{.ball = LinfBall{.radius = 1}, .clean = as_row(clean)};
  // With -ffast-math a NaN has any sign; descents stop before they step along one.
  const float no_sign = unlearn::testing::fast_math ? 0 : nan_of<float>;
  const std::vector<float> grad{3, -1e-30F, 0, no_sign, infinity_of<float>};
  EXPECT_THAT(stepped(set, {0, 0, 0.25F, 0.25F, 0}, grad, -0.125),
              ElementsAre(-0.125F, 0.125F, 0.25F, 0.25F, -0.125F));
  EXPECT_THAT(stepped(set, {0, 0, 0.25F, 0.25F, 0}, grad, 0.125),
              ElementsAre(0.125F, -0.125F, 0.25F, 0.25F, 0.125F));
}

TEST(BallAndBoxSet, BoundsTheNoiseByBallAndBox) {
  const std::vector<float> clean{0.5F, 0.5F, 0, 1, 0.125F, 0.875F};
  const BallAndBoxSet set{.ball = LinfBall{.radius = 0.25}, .clean = as_row(clean)};
  EXPECT_THAT(stepped(set, {0, 0, 0, 0, 0, 0}, {-1, 1, 1, -1, 1, -1}, -1),
              ElementsAre(0.25F, -0.25F, 0, 0, -0.125F, 0.125F));
}

TEST(BallAndBoxSet, ProjectsWithoutAStep) {
  const std::vector<float> clean{0.5F, 0, 1};
  const BallAndBoxSet set{.ball = LinfBall{.radius = 0.25}, .clean = as_row(clean)};
  std::vector<float> noise{-3, -3, 0.125F};
  set.project(sequential, as_row(noise));
  EXPECT_THAT(noise, ElementsAre(-0.25F, 0, 0));
}

TEST(BallAndBoxSet, PullsACleanValueOutsideTheBoxAsFarAsTheBallAllows) {
  const std::vector<float> clean{1.5F, 1.125F, -1.5F, -0.125F};
  const BallAndBoxSet set{.ball = LinfBall{.radius = 0.25}, .clean = as_row(clean)};
  std::vector<float> noise(4);
  set.project(sequential, as_row(noise));
  EXPECT_THAT(noise, ElementsAre(-0.25F, -0.125F, 0.25F, 0.125F));
}

TEST(BallAndBoxSet, AppliesTheBoxFirstAndTheBallLast) {
  // The box projects (6, 8) to (6, 0.25), whose norm is still above 3.
  const std::vector<float> clean{0, 0.75F};
  const BallAndBoxSet set{
      .ball = L2Ball{.radius = 3}, .clean = as_row(clean), .box = Box<float>{.low = 0, .high = 9}};
  const BallAndBoxSet tight{.ball = L2Ball{.radius = 3}, .clean = as_row(clean)};
  std::vector<float> noise{6, 8};
  set.project(sequential, as_row(noise));
  EXPECT_THAT(noise, testing::Pointwise(testing::FloatEq(), {1.8F, 2.4F}));
  noise = {6, 8};
  tight.project(sequential, as_row(noise));
  EXPECT_THAT(noise, ElementsAre(1, 0.25F)) << "(1, 0.25) is inside the ball and stays";
}

TEST(BallAndBoxSet, KeepsRowsApart) {
  const Matrix clean = Matrix::Zero(2, 2);
  Matrix noise(2, 2);
  noise << 3, 4, 0.3F, 0.4F;
  const BallAndBoxSet set{
      .ball = L2Ball{.radius = 1}, .clean = clean, .box = {.low = 0, .high = 9}};
  set.project(parallel, noise);
  EXPECT_FLOAT_EQ(noise(0, 0), 0.6F);
  EXPECT_EQ(noise(1, 0), 0.3F);
}

TEST(BallAndBoxSet, HasNoBoundsWhenBoxAndBallAreInfinite) {
  const std::vector<float> clean{0.5F, 100};
  const BallAndBoxSet set{
      .ball = LinfBall{.radius = infinity_of<double>},
      .clean = as_row(clean),
      .box = Box<float>{.low = -infinity_of<float>, .high = infinity_of<float>}};
  EXPECT_THAT(stepped(set, {7, -7}, {1, -1}, 1000), ElementsAre(1007, -1007));
}

template <class T>
class FeasibleNoiseOf : public testing::Test {};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(FeasibleNoiseOf, Numbers);

TYPED_TEST(FeasibleNoiseOf, LandsExactlyInTheBoxAndOnTheNearestPoint) {
  using T = TypeParam;
  SplitMix64 rng(3);
  constexpr std::size_t count = 20000;
  for (const T high : {T{1}, T{255}}) {
    const double radius = 0.2 * high;
    const std::vector<T> clean = random_numbers<T>(rng, count, 0, high);
    const std::vector<T> start = random_numbers<T>(rng, count, -high, high);
    std::vector<T> noise = start;
    const BallAndBoxSet set{.ball = LinfBall{.radius = radius},
                            .clean = as_row(clean),
                            .box = Box<T>{.low = 0, .high = high}};
    set.project(parallel, as_row(noise));
    for (std::size_t i = 0; i < count; ++i) {
      const T lowest = std::max(static_cast<T>(-radius), -clean[i]);
      const T highest = std::min(static_cast<T>(radius), high - clean[i]);
      ASSERT_EQ(noise[i], std::clamp(start[i], lowest, highest));
      ASSERT_GE(clean[i] + noise[i], 0);
      ASSERT_LE(clean[i] + noise[i], high);
    }
  }
}

TYPED_TEST(FeasibleNoiseOf, StaysFeasibleInAnL2Ball) {
  using T = TypeParam;
  SplitMix64 rng(4);
  const std::vector<T> clean = random_numbers<T>(rng, 300, 0, 1);
  const BallAndBoxSet set{.ball = L2Ball{.radius = 2}, .clean = as_row(clean)};
  std::vector<T> noise = random_numbers<T>(rng, 300, -1, 1);
  for (int step = 0; step < 20; ++step) {
    const std::vector<T> grad = random_gradient<T>(rng, 300);
    set.sign_step(parallel, as_row(noise), as_row(grad), 0.3);
    double squares = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      ASSERT_GE(clean[i] + noise[i], 0);
      ASSERT_LE(clean[i] + noise[i], 1);
      squares += static_cast<double>(noise[i]) * static_cast<double>(noise[i]);
    }
    ASSERT_LE(std::sqrt(squares), 2 * (1 + 1e-6));
  }
}

/// A ball with only what the concept requires.
template <class T>
struct HalvingBall {
  void project(std::span<T> sample) const {
    for (T& number : sample) number /= 2;
  }
};

/// An elementwise ball with only what the concept requires.
template <class T>
struct RampBall {
  [[nodiscard]] double radius_at(std::size_t i) const { return 0.01 * static_cast<double>(i % 50); }
  void project(std::span<T> sample) const {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const auto radius = static_cast<T>(radius_at(i));
      sample[i] = std::min(std::max(sample[i], 0 - radius), radius);
    }
  }
};

/// Sizes around vector widths and blocks of work; all are multiples of three planes.
constexpr std::array<std::array<std::size_t, 2>, 10> shapes{{{0, 3},
                                                             {3, 0},
                                                             {1, 3},
                                                             {1, 15},
                                                             {5, 33},
                                                             {1, 65535},
                                                             {1, 131073},
                                                             {2, 98304},
                                                             {7, 30000},
                                                             {70000, 3}}};

template <class T, class BallT>
void expect_same_bytes_for_every_policy(const BallT& ball) {
  SplitMix64 rng(5);
  for (const std::array<std::size_t, 2> extents : shapes) {
    const std::size_t size = extents[0] * extents[1];
    for (const std::size_t offset : {0U, 1U, 3U}) {
      const std::vector<T> clean = random_numbers<T>(rng, size + offset, 0, 1);
      const std::vector<T> grad = random_gradient<T>(rng, size + offset);
      const std::vector<T> start = random_numbers<T>(rng, size + offset, -0.6, 0.6);
      const BallAndBoxSet set{.ball = ball,
                              .clean = View<const T, 2>(std::span(clean).subspan(offset), extents)};
      const View<const T, 2> gradient{std::span(grad).subspan(offset), extents};

      const auto run = [&](const auto& policy) {
        std::vector<T> noise = start;
        const View<T, 2> view{std::span(noise).subspan(offset), extents};
        set.project(policy, view);
        set.sign_step(policy, view, gradient, -0.125);
        return noise;
      };
      const std::vector<T> expected = run(sequential);
      for (const unsigned threads : {0U, 1U, 2U, 3U, 7U}) {
        const std::vector<T> noise = run(Parallel{.threads = threads});
        ASSERT_TRUE(same_bytes<T>(expected, noise))
            << extents[0] << " x " << extents[1] << ", offset " << offset << ", " << threads
            << " threads";
      }
    }
  }
}

TYPED_TEST(FeasibleNoiseOf, HasTheSameBytesForEveryPolicyInAnLinfBall) {
  expect_same_bytes_for_every_policy<TypeParam>(LinfBall{.radius = 0.3});
}
TYPED_TEST(FeasibleNoiseOf, HasTheSameBytesForEveryPolicyWithARadiusPerChannel) {
  constexpr std::array<double, 3> radii{0.1, 0.2, 0.3};
  expect_same_bytes_for_every_policy<TypeParam>(
      LinfBall{.radius = PerChannel{.radii = radii, .plane = 1}});
}
TYPED_TEST(FeasibleNoiseOf, HasTheSameBytesForEveryPolicyInAnL2Ball) {
  if (unlearn::testing::fast_math) GTEST_SKIP() << "sums depend on the loop around them";
  expect_same_bytes_for_every_policy<TypeParam>(L2Ball{.radius = 0.7});
}
TYPED_TEST(FeasibleNoiseOf, HasTheSameBytesForEveryPolicyInBallsOfTheUsers) {
  if (unlearn::testing::fast_math) GTEST_SKIP() << "sums depend on the loop around them";
  expect_same_bytes_for_every_policy<TypeParam>(HalvingBall<TypeParam>{});
  expect_same_bytes_for_every_policy<TypeParam>(RampBall<TypeParam>{});
}

/// Sets and arrays, in which each test makes one thing wrong.
class FeasibleNoiseMisuse : public testing::Test {
 protected:
  template <class BallT>
  void expect_refused(const BallAndBoxSet<float, BallT>& set, View<const float, 2> gradient,
                      double step) {
    EXPECT_THROW(set.sign_step(sequential, noise, gradient, step), InvalidArgument);
    EXPECT_THROW(set.sign_step(parallel, noise, gradient, step), InvalidArgument);
    EXPECT_EQ(noise, Matrix::Constant(2, 3, 5)) << "nothing is changed";
  }

  Matrix clean = Matrix::Zero(2, 3);
  Matrix noise = Matrix::Constant(2, 3, 5);
  Matrix grad = Matrix::Ones(2, 3);
};

TEST_F(FeasibleNoiseMisuse, RefusesAnotherShapeOfNoise) {
  const BallAndBoxSet set{.ball = LinfBall{.radius = 1}, .clean = clean};
  Matrix wide = Matrix::Zero(2, 4);
  Matrix tall = Matrix::Zero(3, 3);
  EXPECT_THROW(set.project(sequential, wide), InvalidArgument);
  EXPECT_THROW(set.project(parallel, tall), InvalidArgument);
}

TEST_F(FeasibleNoiseMisuse, RefusesAnotherShapeOfGradient) {
  const BallAndBoxSet set{.ball = LinfBall{.radius = 1}, .clean = clean};
  const Matrix narrow = Matrix::Zero(2, 2);
  const Matrix low = Matrix::Zero(1, 3);
  expect_refused(set, narrow, 1);
  expect_refused(set, low, 1);
}

TEST_F(FeasibleNoiseMisuse, RefusesAStepThatIsNotFinite) {
  const BallAndBoxSet set{.ball = LinfBall{.radius = 1}, .clean = clean};
  expect_refused(set, grad, nan_of<double>);
  expect_refused(set, grad, infinity_of<double>);
}

TEST_F(FeasibleNoiseMisuse, RefusesAnInvalidBox) {
  const Box<float> reversed{.low = 1, .high = 0};
  expect_refused(BallAndBoxSet{.ball = LinfBall{.radius = 1}, .clean = clean, .box = reversed},
                 grad, 1);
}

TEST_F(FeasibleNoiseMisuse, RefusesAnInvalidBall) {
  constexpr std::array<double, 2> two_radii{1, 1};
  expect_refused(BallAndBoxSet{.ball = LinfBall{.radius = -1}, .clean = clean}, grad, 1);
  expect_refused(BallAndBoxSet{.ball = L2Ball{.radius = -1}, .clean = clean}, grad, 1);
  expect_refused(
      BallAndBoxSet{.ball = LinfBall{.radius = PerChannel{.radii = two_radii, .plane = 1}},
                    .clean = clean},
      grad, 1);
}

}  // namespace
