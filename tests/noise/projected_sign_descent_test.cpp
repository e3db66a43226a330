// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/projected_sign_descent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace {

using testing::Each;
using ::testing::ElementsAre;
using unlearn::BallAndBoxSet;
using unlearn::DescentResult;
using unlearn::FeasibleSet;
using unlearn::Goal;
using unlearn::InvalidArgument;
using unlearn::Keep;
using unlearn::L2Ball;
using unlearn::LinfBall;
using unlearn::Matrix;
using unlearn::NoiseObjective;
using unlearn::PixelGridSet;
using unlearn::ProjectedSignDescent;
using unlearn::SplitMix64;
using unlearn::StopReason;
using unlearn::View;
using unlearn::testing::infinity;
using unlearn::testing::nan;
using unlearn::testing::random_numbers;

// --- Concepts ------------------------------------------------------------------------------------

/// A minimal FeasibleSet: all noises.
struct EveryNoise {
  template <class P, class X>
  void project(const P& /*policy*/, View<X, 2> /*noise*/) const {}

  template <class P, class X>
  void sign_step(const P& /*policy*/, View<X, 2> noise, View<const X, 2> grad,
                 double signed_step) const {
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const int sign = int{grad.flat()[i] > 0} - int{grad.flat()[i] < 0};
      noise.flat()[i] += static_cast<X>(signed_step * sign);
    }
  }
};
static_assert(FeasibleSet<EveryNoise, float>);
static_assert(FeasibleSet<BallAndBoxSet<float, LinfBall<>>, float>);
static_assert(!FeasibleSet<BallAndBoxSet<float, LinfBall<>>, double>, "it holds float signals");
static_assert(!FeasibleSet<LinfBall<>, float>, "a ball alone has no steps");

/// A minimal NoiseObjective: Σ δ_i.
struct Sum {
  double operator()(View<const float, 2> noise, View<float, 2> grad) const {
    std::ranges::fill(grad.flat(), 1.0F);
    double sum = 0;
    for (const float delta : noise.flat()) sum += delta;
    return sum;
  }
};
static_assert(NoiseObjective<Sum, float>);
static_assert(!NoiseObjective<Sum, std::int8_t>);
static_assert(!NoiseObjective<double (*)(View<const float, 2>), float>, "no gradient");
static_assert(
    unlearn::PointObjective<double (*)(std::span<const double>, std::span<double>), double>);
static_assert(
    !unlearn::PointObjective<void (*)(std::span<const double>, std::span<double>), double>);

TEST(ProjectedSignDescent, WorksOnArchetypes) {
  std::vector<float> noise(6);
  const DescentResult result = ProjectedSignDescent{.step = 0.5, .steps = 3}.optimize(
      Sum{}, View<float, 2>(noise, {2, 3}), EveryNoise{});
  EXPECT_THAT(noise, Each(-1.5F));
  EXPECT_EQ(result.value, -9);
}

// --- Known solutions -----------------------------------------------------------------------------

/// Σ ½ a_i (x_i − c_i)²
struct Quadratic {
  std::vector<double> curvature;
  std::vector<double> centre;

  double operator()(std::span<const double> x) const {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      value += 0.5 * curvature[i] * (x[i] - centre[i]) * (x[i] - centre[i]);
    }
    return value;
  }
  double operator()(std::span<const double> x, std::span<double> grad) const {
    for (std::size_t i = 0; i < x.size(); ++i) grad[i] = curvature[i] * (x[i] - centre[i]);
    return (*this)(x);
  }
};

TEST(ProjectedSignDescent, FindsTheMinimumOfAQuadraticOverTheBall) {
  const Quadratic f{.curvature = {1, 10, 0.1, 3}, .centre = {4, -5, 0.5, 0}};
  std::vector<double> x(4);
  const ProjectedSignDescent descent{.step = 0.25, .steps = 12};
  const DescentResult result = descent.optimize(f, std::span(x), LinfBall{.radius = 2});
  EXPECT_THAT(x, ElementsAre(2, -2, 0.5, 0));
  EXPECT_EQ(result.value, f(x));
  EXPECT_EQ(result.stop, StopReason::step_limit);
}

TEST(ProjectedSignDescent, FindsTheMaximumOfAQuadraticOverTheBall) {
  const Quadratic f{.curvature = {1, 10, 0.1}, .centre = {0.5, -0.5, 1}};
  std::vector<double> x(3);
  const ProjectedSignDescent ascent{.step = 0.25, .steps = 20, .goal = Goal::maximize};
  const DescentResult result = ascent.optimize(f, std::span(x), LinfBall{.radius = 2});
  EXPECT_THAT(x, ElementsAre(-2, 2, -2));
  EXPECT_EQ(result.value, f(x));
}

TEST(ProjectedSignDescent, FindsTheMinimumOverAnL2Ball) {
  const Quadratic f{.curvature = {1, 1}, .centre = {3, 3}};
  std::vector<double> x(2);
  const DescentResult result =
      ProjectedSignDescent{.step = 0.5, .steps = 10}.optimize(f, std::span(x), L2Ball{.radius = 2});
  EXPECT_THAT(x, Each(testing::DoubleNear(std::sqrt(2.0), 1e-12)));
  EXPECT_NEAR(result.value, (3 - std::sqrt(2.0)) * (3 - std::sqrt(2.0)), 1e-12);
}

/// Σ (pixel_i + δ_i − target)², on the pixel grid, in levels.
struct TowardsGrey {
  View<const std::uint8_t, 2> pixels;

  double operator()(View<const std::int8_t, 2> noise, View<float, 2> grad) const {
    double value = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const int difference = pixels.flat()[i] + noise.flat()[i] - 128;
      grad.flat()[i] = 2.0F * static_cast<float>(difference);
      value += difference * difference;
    }
    return value;
  }
};

TEST(ProjectedSignDescent, MinimisesOnThePixelLattice) {
  const std::vector<std::uint8_t> pixels{0, 125, 128, 131, 255};
  const View<const std::uint8_t, 2> clean(pixels, {1, 5});
  std::vector<std::int8_t> noise(5);
  const DescentResult result = ProjectedSignDescent{}.optimize(
      TowardsGrey{clean}, View<std::int8_t, 2>(noise, {1, 5}),
      PixelGridSet{.lattice = {.step = 1, .radius = 8}, .clean = clean});
  EXPECT_THAT(noise, ElementsAre(8, 3, 0, -3, -8));
  EXPECT_EQ(result.value, 120 * 120 + 119 * 119);
  EXPECT_EQ(result.steps, 8);
}

TEST(ProjectedSignDescent, TakesEigenMatricesAsNoise) {
  const Matrix clean = Matrix::Constant(2, 3, 0.5F);
  Matrix noise = Matrix::Zero(2, 3);
  ProjectedSignDescent{.step = 0.125, .steps = 4}.optimize(
      Sum{}, noise, BallAndBoxSet{.ball = LinfBall{.radius = 0.25}, .clean = clean});
  EXPECT_EQ(noise, Matrix::Constant(2, 3, -0.25F));
}

TEST(ProjectedSignDescent, AcceptsNoiseWithoutRows) {
  std::vector<float> noise;
  const DescentResult result =
      ProjectedSignDescent{}.optimize(Sum{}, View<float, 2>(noise, {0, 3}), EveryNoise{});
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(result.evaluations, 9);
}

// --- The course of a run -------------------------------------------------------------------------

/// Returns given values, and records the points where it was evaluated.
struct Script {
  std::vector<double> values;
  std::vector<double> gradients{};
  std::vector<double> asked_at{};

  double operator()(std::span<const double> x, std::span<double> grad) {
    const std::size_t call = asked_at.size();
    asked_at.push_back(x[0]);
    grad[0] = call < gradients.size() ? gradients[call] : -1;
    return values.at(call);
  }
};

struct Outcome {
  DescentResult result;
  double x;
};

/// Takes steps of 1 from `start`. The bound is too large to matter.
Outcome follow(Script& script, ProjectedSignDescent descent, double start = 0) {
  descent.step = 1;
  std::vector<double> x{start};
  const DescentResult result =
      descent.optimize(std::ref(script), std::span(x), LinfBall{.radius = 100});
  return {.result = result, .x = x[0]};
}

TEST(ProjectedSignDescent, EndsAtTheBestIterateWithItsOwnValue) {
  Script script{.values = {5, 3, 1, 2, 4}};
  const auto [result, x] = follow(script, {.steps = 4});
  EXPECT_THAT(script.asked_at, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(x, 2);
  EXPECT_EQ(result.value, 1);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(result.evaluations, 5);
  EXPECT_EQ(result.stop, StopReason::step_limit);
}

TEST(ProjectedSignDescent, EndsAtTheHighestIterateWhenMaximising) {
  Script script{.values = {5, 7, 1, 6}};
  const auto [result, x] = follow(script, {.steps = 3, .goal = Goal::maximize});
  EXPECT_THAT(script.asked_at, ElementsAre(0, -1, -2, -3));
  EXPECT_EQ(x, -1);
  EXPECT_EQ(result.value, 7);
}

TEST(ProjectedSignDescent, KeepsTheStartWhenNothingIsBetter) {
  Script script{.values = {1, 3, 2}};
  const auto [result, x] = follow(script, {.steps = 2}, 7);
  EXPECT_EQ(x, 7);
  EXPECT_EQ(result.value, 1);
}

TEST(ProjectedSignDescent, KeepsTheEarliestOfEquallyGoodIterates) {
  for (const Goal goal : {Goal::minimize, Goal::maximize}) {
    Script script{.values = {2, 2, 2}};
    EXPECT_EQ(follow(script, {.steps = 2, .goal = goal}).x, 0);
  }
}

TEST(ProjectedSignDescent, TracksTheBestOfAnOscillation) {
  // |x − 0.4| in steps of 1: 0, 1, 0, 1, ...
  const auto distance = [](std::span<const double> x, std::span<double> grad) {
    grad[0] = x[0] - 0.4;
    return std::abs(x[0] - 0.4);
  };
  for (const int steps : {5, 6}) {
    std::vector<double> x{-2};
    const DescentResult result = ProjectedSignDescent{.step = 1, .steps = steps}.optimize(
        distance, std::span(x), LinfBall{.radius = 10});
    EXPECT_EQ(x[0], 0);
    EXPECT_EQ(result.value, 0.4);
  }
}

TEST(ProjectedSignDescent, EndsAtTheLastIterateWhenAskedTo) {
  Script script{.values = {5, 1, 4}};
  const auto [result, x] = follow(script, {.steps = 2, .keep = Keep::last});
  EXPECT_EQ(x, 2);
  EXPECT_EQ(result.value, 4);
}

TEST(ProjectedSignDescent, OnlyEvaluatesWithNoSteps) {
  Script script{.values = {5}};
  const auto [result, x] = follow(script, {.steps = 0}, 3);
  EXPECT_EQ(x, 3);
  EXPECT_EQ(result.value, 5);
  EXPECT_EQ(result.steps, 0);
  EXPECT_EQ(result.evaluations, 1);
  EXPECT_EQ(result.stop, StopReason::step_limit);
}

TEST(ProjectedSignDescent, ProjectsTheStartFirst) {
  Script script{.values = {1, 2}};
  EXPECT_EQ(follow(script, {.steps = 1}, 250).x, 100);
  EXPECT_EQ(script.asked_at[0], 100);
}

TEST(ProjectedSignDescent, StopsAtTheValueAskedFor) {
  Script script{.values = {5, 3, 2, 1}};
  const auto [result, x] = follow(script, {.steps = 3, .stop_value = 3});
  EXPECT_EQ(x, 1);
  EXPECT_EQ(result.value, 3);
  EXPECT_EQ(result.steps, 1);
  EXPECT_EQ(result.evaluations, 2);
  EXPECT_EQ(result.stop, StopReason::converged);
}

TEST(ProjectedSignDescent, StopsBeyondTheValueAskedForWhenMaximising) {
  Script script{.values = {1, 2, 9}};
  const auto [result, x] =
      follow(script, {.steps = 2, .goal = Goal::maximize, .keep = Keep::last, .stop_value = 1.5});
  EXPECT_EQ(result.value, 2);
  EXPECT_EQ(result.stop, StopReason::converged);
}

TEST(ProjectedSignDescent, WithoutAStopValueTakesAllSteps) {
  Script script{.values = {3, -1e300, 1e300}};
  const auto [result, x] = follow(script, {.steps = 2});
  EXPECT_EQ(result.stop, StopReason::step_limit);
}

TEST(ProjectedSignDescent, RefusesAStopValueThatIsNotFinite) {
  for (const double stop_value : {nan, infinity, -infinity}) {
    Script script{.values = {3, 2, 1}};
    EXPECT_THROW((void)follow(script, {.steps = 2, .stop_value = stop_value}), InvalidArgument);
  }
}

TEST(ProjectedSignDescent, MayConvergeAtTheLastStepAndAtTheStart) {
  Script at_the_end{.values = {3, 2, 1}};
  EXPECT_EQ(follow(at_the_end, {.steps = 2, .stop_value = 1}).result.stop, StopReason::converged);
  Script at_the_start{.values = {3}};
  EXPECT_EQ(follow(at_the_start, {.steps = 2, .stop_value = 3}).result.evaluations, 1);
}

TEST(ProjectedSignDescent, AsksForTheLastValueWithoutAGradient) {
  struct Counting {
    int gradients = 0;
    int values = 0;
    double operator()(std::span<const double> x, std::span<double> grad) {
      ++gradients;
      grad[0] = 1;
      return x[0];
    }
    double operator()(std::span<const double> x) {
      ++values;
      return x[0];
    }
  } counting;
  std::vector<double> x{0};
  const DescentResult result = ProjectedSignDescent{.step = 1, .steps = 3}.optimize(
      counting, std::span(x), LinfBall{.radius = 10});
  EXPECT_EQ(counting.gradients, 3);
  EXPECT_EQ(counting.values, 1);
  EXPECT_EQ(result.evaluations, 4);
  EXPECT_EQ(result.value, -3);
  EXPECT_EQ(x[0], -3);
}

// --- NaN and infinity ----------------------------------------------------------------------------

class NotFinite : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Each, NotFinite, testing::Values(nan, infinity, -infinity));

TEST_P(NotFinite, ValueEndsTheRunAtTheBestIterate) {
  for (const Goal goal : {Goal::minimize, Goal::maximize}) {
    Script script{.values = {5, 5, 5, GetParam(), 0}, .gradients = {-1, -1, -1, -1}};
    script.values[1] = goal == Goal::minimize ? 4 : 6;
    const auto [result, x] = follow(script, {.steps = 4, .goal = goal});
    EXPECT_EQ(std::abs(x), 1);
    EXPECT_EQ(result.value, script.values[1]);
    EXPECT_EQ(result.steps, 3);
    EXPECT_EQ(result.evaluations, 4);
    EXPECT_EQ(result.stop, StopReason::not_finite);
  }
}

TEST_P(NotFinite, ValueEndsTheRunAtTheLastGoodIterate) {
  Script script{.values = {5, 4, 6, GetParam()}};
  const auto [result, x] = follow(script, {.steps = 3, .keep = Keep::last});
  EXPECT_EQ(x, 2);
  EXPECT_EQ(result.value, 6);
  EXPECT_EQ(result.stop, StopReason::not_finite);
}

TEST_P(NotFinite, GradientMakesAnIterateBad) {
  for (const Keep keep : {Keep::best, Keep::last}) {
    Script script{.values = {5, 4, 0}, .gradients = {-1, -1, GetParam()}};
    const auto [result, x] = follow(script, {.steps = 5, .keep = keep, .stop_value = 1});
    EXPECT_EQ(x, 1);
    EXPECT_EQ(result.value, 4);
    EXPECT_EQ(result.evaluations, 3);
    EXPECT_EQ(result.stop, StopReason::not_finite);
  }
}

TEST_P(NotFinite, StartIsLeftAsItIsWithItsValue) {
  Script bad_value{.values = {GetParam()}};
  const auto [result, x] = follow(bad_value, {}, 250);
  EXPECT_EQ(x, 100) << "projected";
  EXPECT_TRUE(std::bit_cast<std::uint64_t>(result.value) ==
                  std::bit_cast<std::uint64_t>(GetParam()) ||
              (unlearn::is_nan(result.value) && unlearn::is_nan(GetParam())));
  EXPECT_EQ(result.steps, 0);
  EXPECT_EQ(result.stop, StopReason::not_finite);

  Script bad_gradient{.values = {5}, .gradients = {GetParam()}};
  EXPECT_EQ(follow(bad_gradient, {}).result.value, 5);
}

TEST_P(NotFinite, StartIsRefusedBeforeAnyEvaluation) {
  Script script{.values = {1, 1}};
  EXPECT_THROW(follow(script, {.steps = 1}, GetParam()), InvalidArgument);
  EXPECT_THAT(script.asked_at, testing::IsEmpty());
}

// --- Policies and misuse -------------------------------------------------------------------------

/// Two sums with gradients whose signs change from step to step.
struct Ripple {
  double operator()(View<const float, 2> noise, View<float, 2> grad) const {
    double value = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const double phase = 200.0 * noise.flat()[i] + static_cast<double>(i);
      grad.flat()[i] = static_cast<float>(std::cos(phase));
      value += std::sin(phase) / 200;
    }
    return value;
  }
};

TEST(ProjectedSignDescent, HasTheSameBytesForEveryPolicy) {
  SplitMix64 rng(8);
  const std::vector<float> clean = random_numbers<float>(rng, 150000, 0, 1);
  const BallAndBoxSet set{.ball = LinfBall{.radius = 8.0 / 255},
                          .clean = View<const float, 2>(clean, {3, 50000})};
  const auto run = [&](const auto& policy) {
    std::vector<float> noise(150000);
    ProjectedSignDescent{.steps = 5}.optimize(Ripple{}, View<float, 2>(noise, {3, 50000}), set,
                                              policy);
    return noise;
  };
  const std::vector<float> expected = run(unlearn::sequential);
  EXPECT_THAT(expected, testing::Contains(testing::Not(0)));
  for (const unsigned threads : {1U, 2U, 3U}) {
    EXPECT_TRUE(run(unlearn::Parallel{.threads = threads}) == expected);
  }
}

TEST(ProjectedSignDescent, RefusesInvalidSettings) {
  const auto refused = [](const ProjectedSignDescent& descent) {
    std::vector<double> x{50};
    const auto f = [](std::span<const double> point, std::span<double> grad) {
      grad[0] = 1;
      return point[0];
    };
    EXPECT_THROW(descent.optimize(f, std::span(x), LinfBall{.radius = 1}), InvalidArgument);
    EXPECT_EQ(x[0], 50) << "nothing is changed";
  };
  refused({.step = -0.1});
  refused({.step = nan});
  refused({.step = infinity});
  refused({.steps = -1});
}

TEST(ProjectedSignDescent, RefusesNoiseOfAnotherShapeThanTheSet) {
  const Matrix clean = Matrix::Zero(2, 3);
  Matrix noise = Matrix::Zero(3, 2);
  EXPECT_THROW(ProjectedSignDescent{}.optimize(
                   Sum{}, noise, BallAndBoxSet{.ball = LinfBall{.radius = 1}, .clean = clean}),
               InvalidArgument);
}

TEST(ProjectedSignDescent, PassesOnWhatTheObjectiveThrows) {
  std::vector<double> x{0};
  const auto f = [](std::span<const double> point, std::span<double> grad) {
    if (point[0] < -1) throw std::runtime_error("out of memory");
    grad[0] = 1;
    return point[0];
  };
  EXPECT_THROW(ProjectedSignDescent{.step = 1}.optimize(f, std::span(x), LinfBall{.radius = 9}),
               std::runtime_error);
  EXPECT_EQ(x[0], -2) << "the iterate that it threw at";
}

}  // namespace
