// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/linf_ball.hpp"
#include "special_numbers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace {

using ::testing::ElementsAre;
using unlearn::InvalidArgument;
using unlearn::LinfBall;
using unlearn::PerChannel;
using unlearn::testing::infinity;
using unlearn::testing::nan;

template <class BallT>
std::vector<float> projected(const BallT& ball, std::vector<float> sample) {
  ball.project(std::span(sample));
  return sample;
}

TEST(LinfBall, ClampsEachNumber) {
  EXPECT_THAT(projected(LinfBall{.radius = 0.5}, {-2, -0.5F, -0.25F, 0, 0.25F, 0.5F, 2}),
              ElementsAre(-0.5F, -0.5F, -0.25F, 0, 0.25F, 0.5F, 0.5F));
}

TEST(LinfBall, TakesAnyNumberForARadius) {
  static_assert(std::same_as<decltype(LinfBall{.radius = 8.0 / 255}), LinfBall<double>>);
  static_assert(std::same_as<decltype(LinfBall{.radius = 8}), LinfBall<double>>);
  static_assert(std::same_as<decltype(LinfBall{.radius = 8.0F}), LinfBall<double>>);
  EXPECT_EQ(LinfBall{.radius = 8}.radius_at(3), 8);
}

TEST(LinfBall, OfRadiusZeroIsPositiveZero) {
  for (const float number : projected(LinfBall{.radius = 0}, {-3, 0, 3})) {
    EXPECT_EQ(number, 0);
    EXPECT_FALSE(std::signbit(number) && !unlearn::testing::fast_math);
  }
}

TEST(LinfBall, OfInfiniteRadiusIsNoBound) {
  EXPECT_THAT(projected(LinfBall{.radius = infinity}, {-3e38F, 1}), ElementsAre(-3e38F, 1));
}

TEST(LinfBall, RefusesARadiusThatIsNegativeOrNaN) {
  EXPECT_THROW(projected(LinfBall{.radius = -0.1}, {1}), InvalidArgument);
  EXPECT_THROW(projected(LinfBall{.radius = nan}, {1}), InvalidArgument);
  EXPECT_NO_THROW(projected(LinfBall{.radius = 0.0}, {1}));
}

constexpr std::array<double, 3> radii{1, 2, 3};

TEST(LinfBall, HasARadiusForEachPlaneOfAImage) {
  const LinfBall ball{.radius = PerChannel{.radii = radii, .plane = 2}};
  EXPECT_THAT(projected(ball, {9, -9, 9, -9, 9, -9}), ElementsAre(1, -1, 2, -2, 3, -3));
}

TEST(LinfBall, HasARadiusForEachInterleavedChannel) {
  const LinfBall ball{.radius = PerChannel{.radii = radii, .plane = 1}};
  EXPECT_THAT(projected(ball, {9, 9, 9, -9, -9, -9}), ElementsAre(1, 2, 3, -1, -2, -3));
}

TEST(LinfBall, RefusesChannelsThatDoNotFillASample) {
  const LinfBall ball{.radius = PerChannel{.radii = radii, .plane = 2}};
  EXPECT_NO_THROW(ball.validate(12));
  EXPECT_THROW(ball.validate(8), InvalidArgument);
  EXPECT_THROW((LinfBall{.radius = PerChannel{.radii = radii, .plane = 0}}.validate(6)),
               InvalidArgument);
  EXPECT_THROW((LinfBall{.radius = PerChannel{.radii = {}, .plane = 2}}.validate(6)),
               InvalidArgument);
}

TEST(LinfBall, RefusesANegativeRadiusOfOneChannel) {
  constexpr std::array<double, 2> one_is_negative{1, -1};
  const LinfBall ball{.radius = PerChannel{.radii = one_is_negative, .plane = 1}};
  EXPECT_THROW(projected(ball, {1, 1}), InvalidArgument);
}

}  // namespace
