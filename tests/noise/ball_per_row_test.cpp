// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/ball_per_row.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

static_assert(RowwiseBall<BallPerRow<L2Ball>, double>);
static_assert(!RowwiseBall<L2Ball, double>);
static_assert(!Ball<BallPerRow<L2Ball>, double>, "it does not know which row a sample is");

/// Three rows of two numbers around the middle of the box.
template <class BallT>
struct ThreeRows {
  std::vector<double> radii;
  std::vector<double> clean = std::vector<double>(6, 0.5);
  std::vector<double> noise{0.3, -0.4, 0.3, -0.4, 0.3, -0.4};

  void project() {
    const BallAndBoxSet set{.ball = BallPerRow<BallT>{.radii = radii},
                            .clean = View<const double, 2>(clean, {3, 2})};
    set.project(sequential, View<double, 2>(noise, {3, 2}));
  }
};

TEST(BallPerRow, BoundsEachRowByItsOwnRadius) {
  ThreeRows<LinfBall<>> linf{.radii = {0.1, 0.35, 0}};
  linf.project();
  EXPECT_THAT(linf.noise, ElementsAre(0.1, -0.1, 0.3, -0.35, 0, 0));

  ThreeRows<L2Ball> l2{.radii = {0.25, 0.6, 0}};
  l2.project();
  EXPECT_THAT(l2.noise, ::testing::Pointwise(::testing::DoubleNear(1e-15),
                                             {0.15, -0.2, 0.3, -0.4, 0.0, 0.0}));
}

TEST(BallPerRow, RefusesAnotherNumberOfRadii) {
  for (const std::size_t count : {0U, 2U, 4U}) {
    ThreeRows<L2Ball> rows{.radii = std::vector<double>(count, 1.0)};
    const std::string message = testing::message_of<InvalidArgument>([&] { rows.project(); });
    EXPECT_THAT(message, HasSubstr("radii of a ball per row: expected 3"));
    EXPECT_THAT(rows.noise, ElementsAre(0.3, -0.4, 0.3, -0.4, 0.3, -0.4));
  }
}

TEST(BallPerRow, RefusesARadiusThatIsNegativeOrNan) {
  for (const double bad : {-0.1, testing::nan}) {
    ThreeRows<LinfBall<>> linf{.radii = {1, 1, bad}};
    EXPECT_THROW(linf.project(), InvalidArgument);
    ThreeRows<L2Ball> l2{.radii = {1, bad, 1}};
    EXPECT_THROW(l2.project(), InvalidArgument);
    EXPECT_THAT(l2.noise, ElementsAre(0.3, -0.4, 0.3, -0.4, 0.3, -0.4)) << "nothing is changed";
  }
}

/// What each policy makes of a step is what a set of one row with one ball makes of it.
template <class BallT>
void expect_sets_of_single_rows(double scale) {
  constexpr std::size_t rows = 7;
  constexpr std::size_t elements = 20000;
  SplitMix64 rng(51);
  const auto clean = testing::random_numbers<float>(rng, rows * elements, 0, 1);
  const auto start = testing::random_numbers<float>(rng, rows * elements, -0.3, 0.3);
  const auto grad = testing::random_gradient<float>(rng, rows * elements);
  const auto radii = testing::random_numbers<double>(rng, rows, 0, scale);
  const std::array<std::size_t, 2> extents{rows, elements};
  std::vector<float> expected = start;
  for (std::size_t row = 0; row < rows; ++row) {
    const BallAndBoxSet set{.ball = BallT{.radius = radii[row]},
                            .clean = View<const float, 2>(clean, extents).slice(row, 1)};
    set.sign_step(sequential, View<float, 2>(expected, extents).slice(row, 1),
                  View<const float, 2>(grad, extents).slice(row, 1), 0.1);
  }
  const BallAndBoxSet set{.ball = BallPerRow<BallT>{.radii = radii},
                          .clean = View<const float, 2>(clean, extents)};
  const auto step = [&](const auto& policy) {
    std::vector<float> noise = start;
    set.sign_step(policy, View<float, 2>(noise, extents), View<const float, 2>(grad, extents), 0.1);
    return noise;
  };
  EXPECT_TRUE(step(sequential) == expected);
  for (const unsigned threads : {1U, 2U, 3U}) {
    EXPECT_TRUE(step(Parallel{.threads = threads}) == expected);
  }
}

TEST(BallPerRow, StepsAsSetsOfSingleRows) {
  expect_sets_of_single_rows<LinfBall<>>(0.3);
  expect_sets_of_single_rows<L2Ball>(20);
}

}  // namespace
}  // namespace unlearn
