// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/ball.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"

namespace {

using unlearn::Ball;
using unlearn::ElementwiseBall;

/// A minimal Ball: only the point 0.
struct PointBall {
  static void project(std::span<float> sample) {
    for (float& number : sample) number = 0;
  }
};
static_assert(Ball<PointBall, float>);
static_assert(!ElementwiseBall<PointBall, float>);
static_assert(!Ball<PointBall, double>, "it projects floats only");

/// A minimal ElementwiseBall.
struct PointBallByElement : PointBall {
  static double radius_at(std::size_t /*i*/) { return 0; }
};
static_assert(ElementwiseBall<PointBallByElement, float>);

struct WithoutProjection {
  double radius;
};
static_assert(!Ball<WithoutProjection, float>);

struct ProjectsOnlyWhenMutable {
  void project(std::span<float> sample);
};
static_assert(!Ball<ProjectsOnlyWhenMutable, float>);

struct ReturnsTheProjection {
  std::vector<float> project(std::span<float> sample) const;
};
static_assert(!Ball<ReturnsTheProjection, float>);

struct RadiusIsText : PointBall {
  std::string radius_at(std::size_t i) const;
};
static_assert(!ElementwiseBall<RadiusIsText, float>);

static_assert(ElementwiseBall<unlearn::LinfBall<>, double>);
static_assert(Ball<unlearn::L2Ball, double> && !ElementwiseBall<unlearn::L2Ball, double>);

TEST(Ball, OffersItsOwnValidationOnlyWhereItHasOne) {
  unlearn::detail::validate(PointBall{}, 3);
  EXPECT_THROW(unlearn::detail::validate(unlearn::L2Ball{.radius = -1}, 3),
               unlearn::InvalidArgument);
}

}  // namespace
