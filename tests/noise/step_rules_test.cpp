// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/step_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/momentum_sign_step.hpp"
#include "unlearn/noise/normalized_gradient_step.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

namespace unlearn {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::infinity;
using testing::nan;
using ::testing::Pointwise;
using testing::random_gradient;
using testing::random_number;
using testing::random_numbers;

// --- Concept -------------------------------------------------------------------------------------

/// A minimal StepRule: the gradient itself is the direction.
struct PlainGradient {
  static constexpr Move move = Move::by_direction;
};
struct WithoutMove {};
struct MoveOfAnotherType {
  static constexpr bool move = true;
};
static_assert(StepRule<PlainGradient>);
static_assert(!StepRule<WithoutMove>);
static_assert(!StepRule<MoveOfAnotherType>);

static_assert(std::is_same_v<ProjectedSignDescent, ProjectedDescent<>>);
static_assert(sizeof(ProjectedSignDescent) == sizeof(ProjectedDescent<NormalizedGradientStep>),
              "a rule without settings takes no room");

TEST(StepRule, MayTakeTheGradientAsItIs) {
  // ½x², halved by each step of ½
  const auto f = [](std::span<const double> x, std::span<double> grad) {
    grad[0] = x[0];
    return 0.5 * x[0] * x[0];
  };
  std::vector<double> x{8};
  const ProjectedDescent<PlainGradient> descent{.step = 0.5, .steps = 3};
  const DescentResult result = descent.optimize(f, std::span(x), L2Ball{.radius = 100});
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(result.value, 0.5);
}

TEST(StepRule, IsDeducedFromItsValue) {
  const ProjectedDescent descent{.step = 0.5, .rule = MomentumSignStep{.decay = 0.9}};
  static_assert(std::is_same_v<decltype(descent), const ProjectedDescent<MomentumSignStep>>);
  EXPECT_EQ(descent.rule.decay, 0.9);
}

// --- NormalizedGradientStep ----------------------------------------------------------------------

template <class T>
std::vector<T> normalized(std::vector<T> grad) {
  NormalizedGradientStep{}.direct(std::span(grad), std::span<T>{});
  return grad;
}

TEST(NormalizedGradientStep, HasLengthOne) {
  EXPECT_THAT(normalized<double>({3, -4}), Pointwise(DoubleNear(1e-15), {0.6, -0.8}));
  EXPECT_THAT(normalized<float>({0, 0, -2}), ElementsAre(0, 0, -1));
}

TEST(NormalizedGradientStep, LeavesZerosAndNoNumbers) {
  EXPECT_THAT(normalized<float>({0, 0}), Each(0));
  EXPECT_THAT(normalized<double>({}), ElementsAre());
}

TEST(NormalizedGradientStep, NeitherOverflowsNorUnderflows) {
  EXPECT_THAT(normalized<double>({3e300, -4e300}), Pointwise(DoubleNear(1e-14), {0.6, -0.8}));
  EXPECT_THAT(normalized<double>({3e-300, -4e-300}), Pointwise(DoubleNear(1e-14), {0.6, -0.8}));
  const float least = std::numeric_limits<float>::min();
  EXPECT_THAT(normalized<float>({3 * least, -4 * least}), ElementsAre(0.6F, -0.8F));
  if (testing::fast_math) return;  // the reciprocal of the largest number is 0
  const double max = std::numeric_limits<double>::max();
  EXPECT_THAT(normalized<double>({max, 0}), Pointwise(DoubleNear(1e-14), {1.0, 0.0}));
  EXPECT_THAT(normalized<double>({std::numeric_limits<double>::denorm_min(), 0}), Each(0));
}

template <class T>
void expect_the_plain_direction(SplitMix64& rng, double tolerance) {
  const std::vector<T> grad = random_gradient<T>(rng, 1 + rng() % 40);
  double squares = 0;
  for (const T g : grad) squares += double{g} * double{g};
  const std::vector<T> direction = normalized(grad);
  for (std::size_t i = 0; i < grad.size(); ++i) {
    const double expected = squares > 0 ? grad[i] / std::sqrt(squares) : 0;
    ASSERT_NEAR(direction[i], expected, tolerance);
  }
}

TEST(NormalizedGradientStep, IsWhatPlainArithmeticSays) {
  SplitMix64 rng(31);
  for (int repeat = 0; repeat < 200; ++repeat) {
    expect_the_plain_direction<float>(rng, 1e-7);
    expect_the_plain_direction<double>(rng, 1e-15);
  }
}

// --- MomentumSignStep ----------------------------------------------------------------------------

TEST(MomentumSignStep, SumsGradientsOfEqualWeight) {
  std::vector<double> memory(2);
  std::vector<double> grad{3, -1};
  const MomentumSignStep rule{.decay = 0.5};
  rule.direct(std::span(grad), std::span(memory));
  EXPECT_THAT(grad, ElementsAre(0.75, -0.25));
  EXPECT_EQ(memory, grad);

  grad = {-1000, 3000};
  rule.direct(std::span(grad), std::span(memory));
  EXPECT_THAT(grad, Pointwise(DoubleNear(1e-15), {0.375 - 0.25, -0.125 + 0.75}));

  grad = {0, 0};
  rule.direct(std::span(grad), std::span(memory));
  EXPECT_THAT(grad, Pointwise(DoubleNear(1e-15), {0.0625, 0.3125}));
  EXPECT_EQ(memory, grad);
}

TEST(MomentumSignStep, NeitherOverflowsNorUnderflows) {
  for (const double size : {1e-300, 1e300}) {
    std::vector<double> memory(2);
    std::vector<double> grad{size, -3 * size};
    MomentumSignStep{}.direct(std::span(grad), std::span(memory));
    EXPECT_THAT(grad, Pointwise(DoubleNear(1e-14), {0.25, -0.75}));
  }
}

TEST(MomentumSignStep, RefusesADecayThatIsNegativeOrNotFinite) {
  const auto f = [](std::span<const double> x, std::span<double> grad) {
    grad[0] = 1;
    return x[0];
  };
  for (const double decay : {-0.1, nan, infinity}) {
    std::vector<double> x{50};
    const ProjectedDescent<MomentumSignStep> descent{.rule = {.decay = decay}};
    EXPECT_THROW(descent.optimize(f, std::span(x), LinfBall{.radius = 1}), InvalidArgument);
    EXPECT_EQ(x[0], 50) << "nothing is changed";
  }
}

// --- Descents with a value of the whole batch ----------------------------------------------------

/// Σ_i c_i x_i, its lowest value on ‖x‖₂ ≤ r being −r ‖c‖₂, on each row.
struct Slope {
  std::vector<double> slope;
  double operator()(std::span<const double> x, std::span<double> grad) const {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      grad[i] = slope[i];
      value += slope[i] * x[i];
    }
    return value;
  }
};

TEST(NormalizedGradientStep, ReachesTheOptimumOfASlopeOnAnL2BallWhereSignsStall) {
  const Slope f{.slope = {1, -2, 0.25, 4, 0}};
  const double optimum = -3 * std::sqrt(1 + 4 + 0.0625 + 16);
  std::vector<double> x(5);
  const L2Ball ball{.radius = 3};
  const auto by_norm = ProjectedDescent<NormalizedGradientStep>{.step = 1, .steps = 100}.optimize(
      f, std::span(x), ball);
  EXPECT_NEAR(by_norm.value, optimum, 1e-12);

  std::ranges::fill(x, 0);
  const auto by_sign =
      ProjectedSignDescent{.step = 1, .steps = 1000}.optimize(f, std::span(x), ball);
  EXPECT_GT(by_sign.value, optimum + 1) << "−r ‖c‖₁ / √4";
}

/// Σ ½ a_i (x_i − c_i)², whose minimum on the ball ‖x‖₂ ≤ r is x_i = a_i c_i / (a_i + λ) with λ
/// such that ‖x‖₂ = r, or c where that is inside.
struct Bowl {
  std::vector<double> curvature;
  std::vector<double> centre;

  double operator()(std::span<const double> x, std::span<double> grad) const {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      grad[i] = curvature[i] * (x[i] - centre[i]);
      value += 0.5 * grad[i] * (x[i] - centre[i]);
    }
    return value;
  }

  [[nodiscard]] double minimum_on_ball(double radius) const {
    const auto at = [&](double multiplier) {
      std::vector<double> x(centre.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = curvature[i] * centre[i] / (curvature[i] + multiplier);
      }
      return x;
    };
    const auto squares = [](const std::vector<double>& x) {
      double sum = 0;
      for (const double number : x) sum += number * number;
      return sum;
    };
    double low = 0;
    double high = 1e6;
    for (int bisection = 0; bisection < 200; ++bisection) {
      const double middle = 0.5 * (low + high);
      (squares(at(middle)) > radius * radius ? low : high) = middle;
    }
    std::vector<double> unused(centre.size());
    return (*this)(at(high), unused);
  }
};

TEST(NormalizedGradientStep, ReachesTheOptimumOfQuadraticsOnAnL2Ball) {
  SplitMix64 rng(32);
  for (int repeat = 0; repeat < 30; ++repeat) {
    const Bowl f{.curvature = random_numbers<double>(rng, 8, 0.5, 2),
                 .centre = random_numbers<double>(rng, 8, 2, 5)};
    const double radius = random_number<double>(rng, 0.5, 2);
    std::vector<double> x(8);
    const auto result =
        ProjectedDescent<NormalizedGradientStep>{.step = 0.1 * radius, .steps = 300}.optimize(
            f, std::span(x), L2Ball{.radius = radius});
    EXPECT_NEAR(result.value, f.minimum_on_ball(radius), 1e-9 * result.value);
  }
}

TEST(NormalizedGradientStep, ReachesTheOptimumOfFloatNoiseOfSeveralRows) {
  // Rows with gradients of very different size: each takes steps of one length.
  const std::vector<float> slopes{3e-6F, -4e-6F, 3e6F, 4e6F, 0, 0};
  const auto f = [&](View<const float, 2> noise, View<float, 2> grad) {
    std::ranges::copy(slopes, grad.flat().begin());
    double value = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) value += double{slopes[i]} * noise.flat()[i];
    return value;
  };
  const std::vector<float> clean(6, 0.5F);
  const BallAndBoxSet set{.ball = L2Ball{.radius = 0.25},
                          .clean = View<const float, 2>(clean, {3, 2})};
  std::vector<float> noise{0, 0, 0, 0, 0.1F, 0};
  ProjectedDescent<NormalizedGradientStep>{.step = 0.05, .steps = 40}.optimize(
      f, View<float, 2>(noise, {3, 2}), set);
  const std::vector<float> expected{-0.15F, 0.2F, -0.15F, -0.2F, 0.1F, 0};
  EXPECT_THAT(noise, Pointwise(::testing::FloatNear(1e-6F), expected));
}

TEST(NormalizedGradientStep, AscendsToTheMaximum) {
  std::vector<double> x(2);
  const auto result =
      ProjectedDescent<NormalizedGradientStep>{.step = 1, .steps = 30, .goal = Goal::maximize}
          .optimize(Slope{.slope = {3, 4}}, std::span(x), L2Ball{.radius = 2});
  EXPECT_NEAR(result.value, 10, 1e-12);
}

/// Gradients by a script, on the pixel grid.
TEST(MomentumSignStep, FollowsItsMemoryOnThePixelGrid) {
  const std::vector<std::uint8_t> pixels{128, 128, 3};
  const View<const std::uint8_t, 2> clean(pixels, {1, 3});
  const std::vector<std::vector<float>> gradients{{-8, 1, 1}, {1, -1, 2}, {1, -2, 1}, {0, 0, 0}};
  std::vector<std::vector<int>> seen;
  const auto f = [&](View<const std::int8_t, 2> noise, View<float, 2> grad) {
    std::ranges::copy(gradients[seen.size()], grad.flat().begin());
    seen.emplace_back(noise.flat().begin(), noise.flat().end());
    return 0.0;
  };
  std::vector<std::int8_t> noise(3);
  const ProjectedDescent<MomentumSignStep> descent{
      .step = 2.0 / 255, .steps = 3, .keep = Keep::last, .rule = {.decay = 1}};
  descent.optimize(f, View<std::int8_t, 2>(noise, {1, 3}),
                   PixelGridSet{.lattice = {.step = 2, .radius = 8}, .clean = clean});
  // m: (−.8, .1, .1), (−.55, −.15, .6), (−.3, −.65, .85)
  EXPECT_THAT(seen, ElementsAre(ElementsAre(0, 0, 0), ElementsAre(2, -2, -2), ElementsAre(4, 0, -3),
                                ElementsAre(6, 2, -3)));
}

TEST(MomentumSignStep, WithoutDecayIsTheSignStep) {
  SplitMix64 rng(33);
  const std::vector<float> clean = random_numbers<float>(rng, 60, 0, 1);
  const BallAndBoxSet set{.ball = LinfBall{.radius = 0.1},
                          .clean = View<const float, 2>(clean, {3, 20})};
  const auto f = [](View<const float, 2> noise, View<float, 2> grad) {
    double value = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const double phase = 90.0 * noise.flat()[i] + static_cast<double>(i);
      grad.flat()[i] = static_cast<float>(std::cos(phase));
      value += std::sin(phase) / 90;
    }
    return value;
  };
  std::vector<float> with_signs(60);
  ProjectedSignDescent{.step = 0.01}.optimize(f, View<float, 2>(with_signs, {3, 20}), set);
  std::vector<float> with_momentum(60);
  ProjectedDescent<MomentumSignStep>{.step = 0.01, .rule = {.decay = 0}}.optimize(
      f, View<float, 2>(with_momentum, {3, 20}), set);
  EXPECT_EQ(with_momentum, with_signs);
}

TEST(StepRule, HasTheSameBytesForEveryPolicy) {
  constexpr std::size_t rows = 5;
  constexpr std::size_t elements = 40000;
  SplitMix64 rng(34);
  const std::vector<float> clean = random_numbers<float>(rng, rows * elements, 0, 1);
  const BallAndBoxSet set{.ball = L2Ball{.radius = 2},
                          .clean = View<const float, 2>(clean, {rows, elements})};
  const auto f = [](View<const float, 2> noise, View<float, 2> grad) {
    for (std::size_t i = 0; i < noise.size(); ++i) {
      grad.flat()[i] = static_cast<float>(std::cos(200.0 * noise.flat()[i] + double(i)));
    }
    return 0.0;
  };
  const auto run = [&](const auto& descent, const auto& policy) {
    std::vector<float> noise(rows * elements);
    descent.optimize(f, View<float, 2>(noise, {rows, elements}), set, policy);
    return noise;
  };
  const auto expect_same = [&](const auto& descent) {
    const std::vector<float> expected = run(descent, sequential);
    EXPECT_THAT(expected, ::testing::Contains(::testing::Not(0)));
    for (const unsigned threads : {1U, 2U, 3U}) {
      EXPECT_TRUE(run(descent, Parallel{.threads = threads}) == expected);
    }
  };
  expect_same(
      ProjectedDescent<NormalizedGradientStep>{.step = 0.5, .steps = 3, .keep = Keep::last});
  expect_same(ProjectedDescent<MomentumSignStep>{.step = 0.01, .steps = 3, .keep = Keep::last});
}

}  // namespace
}  // namespace unlearn
