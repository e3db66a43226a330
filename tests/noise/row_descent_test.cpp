// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "closed_backend.hpp"
#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/ball_per_row.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/momentum_sign_step.hpp"
#include "unlearn/noise/normalized_gradient_step.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using testing::infinity;
using ::testing::IsEmpty;
using testing::nan;
using testing::random_number;
using testing::random_numbers;

static_assert(RowwiseObjective<void (*)(const RowEvaluation<float>&), float>);
static_assert(!RowwiseObjective<void (*)(View<const float, 2>), float>);
static_assert(!RowwiseObjective<void (*)(const RowEvaluation<float>&), double>);

// --- Against a plain reference in double ---------------------------------------------------------

/// A waved bowl for each row: Σ_i ½ a (x_i − c_i)² + w sin(k x_i). It falls and rises on the way.
struct WavedBowls {
  View<const double, 2> centres;
  double curvature;
  double wave;

  [[nodiscard]] double value(std::size_t row, std::span<const double> x) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double away = x[i] - centres[row][i];
      sum += 0.5 * curvature * away * away + wave * std::sin(7 * x[i]);
    }
    return sum;
  }
  [[nodiscard]] std::vector<double> gradient(std::size_t row, std::span<const double> x) const {
    std::vector<double> grad(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      grad[i] = curvature * (x[i] - centres[row][i]) + 7 * wave * std::cos(7 * x[i]);
    }
    return grad;
  }
  void operator()(const RowEvaluation<double>& at) const {
    for (const Index row : at.rows) {
      at.values[row] = value(row, at.noise.row(row));
      if (at.gradient_needed) {
        std::ranges::copy(gradient(row, at.noise.row(row)), at.grad.row(row).begin());
      }
    }
  }
};

enum class Norm { maximum, euclidean };

/// A row's settings, as the reference takes them.
struct PlainProblem {
  WavedBowls f;
  std::size_t row;
  std::span<const double> clean;
  Norm norm;
  double radius;

  void project(std::vector<double>& x) const {
    double squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = std::min(std::max(x[i], 0 - clean[i]), 1 - clean[i]);
      if (norm == Norm::maximum) x[i] = std::min(std::max(x[i], -radius), radius);
      squares += x[i] * x[i];
    }
    if (norm == Norm::euclidean && std::sqrt(squares) > radius) {
      for (double& number : x) number *= radius / std::sqrt(squares);
    }
  }
};

double plain_sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

std::vector<double> plain_direction(SignStep /*rule*/, std::vector<double> g,
                                    std::vector<double>& /*m*/) {
  for (double& number : g) number = plain_sign(number);
  return g;
}
std::vector<double> plain_direction(NormalizedGradientStep /*rule*/, std::vector<double> g,
                                    std::vector<double>& /*m*/) {
  double squares = 0;
  for (const double number : g) squares += number * number;
  for (double& number : g) number /= std::sqrt(squares);
  return g;
}
std::vector<double> plain_direction(MomentumSignStep rule, const std::vector<double>& g,
                                    std::vector<double>& m) {
  double sum = 0;
  for (const double number : g) sum += std::abs(number);
  std::vector<double> direction(g.size());
  for (std::size_t i = 0; i < g.size(); ++i) {
    m[i] = rule.decay * m[i] + g[i] / sum;
    direction[i] = plain_sign(m[i]);
  }
  return direction;
}

struct PlainOutcome {
  std::vector<double> x;
  double value;
  int step;
  int steps;
  bool success;
};

/// The descent of one row, in the order of its definition.
template <class Rule>
PlainOutcome plain_descent(const ProjectedDescent<Rule>& descent, const PlainProblem& problem,
                           std::vector<double> x) {
  const double sign = descent.goal == Goal::minimize ? 1 : -1;
  std::vector<double> m(x.size());
  problem.project(x);
  PlainOutcome best{.x = x, .value = 0, .step = 0, .steps = 0, .success = false};
  for (int taken = 0; taken <= descent.steps; ++taken) {
    const double value = problem.f.value(problem.row, x);
    best.steps = taken;
    if (taken == 0 || descent.keep == Keep::last || sign * value < sign * best.value) {
      best.x = x;
      best.value = value;
      best.step = taken;
    }
    best.success = descent.stop_value && sign * value <= sign * *descent.stop_value;
    if (best.success) break;
    const auto d = plain_direction(descent.rule, problem.f.gradient(problem.row, x), m);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= sign * descent.step * d[i];
    problem.project(x);
  }
  return best;
}

constexpr std::size_t plain_rows = 6;
constexpr std::size_t plain_elements = 11;

template <class BallT, class Rule>
void expect_the_plain_descent(const ProjectedDescent<Rule>& descent, Norm norm, SplitMix64& rng) {
  constexpr std::size_t size = plain_rows * plain_elements;
  const auto clean = random_numbers<double>(rng, size, 0, 1);
  const auto centres = random_numbers<double>(rng, size, -2, 2);
  const auto radii = random_numbers<double>(rng, plain_rows, 0.05, 1.5);
  const auto start = random_numbers<double>(rng, size, -1, 1);
  const WavedBowls f{
      .centres = {centres.data(), {plain_rows, plain_elements}}, .curvature = 1, .wave = 0.3};
  const View<const double, 2> signals(clean.data(), {plain_rows, plain_elements});
  const BallAndBoxSet set{.ball = BallPerRow<BallT>{.radii = radii}, .clean = signals};
  std::vector<double> noise = start;
  const View<double, 2> view(noise, {plain_rows, plain_elements});
  const RowDescentResult result = descent.optimize_rows(f, view, set);
  ASSERT_EQ(result.rows.size(), plain_rows);
  int longest = 0;
  for (std::size_t row = 0; row < plain_rows; ++row) {
    const auto first = start.begin() + static_cast<std::ptrdiff_t>(row * plain_elements);
    const PlainOutcome expected = plain_descent(
        descent,
        {.f = f, .row = row, .clean = signals.row(row), .norm = norm, .radius = radii[row]},
        {first, first + plain_elements});
    const RowOutcome& found = result.rows[row];
    EXPECT_NEAR(found.value, expected.value, 1e-10);
    EXPECT_EQ(found.step, expected.step);
    EXPECT_EQ(found.steps, expected.steps);
    EXPECT_EQ(found.success(), expected.success);
    EXPECT_EQ(result.success_mask()[row], expected.success);
    EXPECT_EQ(found.stop, expected.success ? StopReason::converged : StopReason::step_limit);
    EXPECT_NEAR(found.value, f.value(row, view.row(row)),
                testing::between_loops * std::abs(found.value))
        << "the value of the noise it is left at";
    EXPECT_THAT(std::vector<double>(view.row(row).begin(), view.row(row).end()),
                ::testing::Pointwise(::testing::DoubleNear(1e-11), expected.x));
    longest = std::max(longest, found.steps);
  }
  EXPECT_EQ(result.evaluations, longest + 1);
}

template <class Rule>
void expect_the_plain_descents(Rule rule, std::uint64_t seed) {
  SplitMix64 rng(seed);
  for (int repeat = 0; repeat < 25; ++repeat) {
    ProjectedDescent<Rule> descent{.step = random_number<double>(rng, 0.02, 0.4),
                                   .steps = static_cast<int>(rng() % 13),
                                   .goal = rng() % 2 == 0 ? Goal::minimize : Goal::maximize,
                                   .keep = rng() % 3 == 0 ? Keep::last : Keep::best,
                                   .rule = rule};
    if (rng() % 2 == 0) descent.stop_value = random_number<double>(rng, 5, 20);
    expect_the_plain_descent<LinfBall<>>(descent, Norm::maximum, rng);
    expect_the_plain_descent<L2Ball>(descent, Norm::euclidean, rng);
  }
}

TEST(RowDescent, IsThePlainDescentOfEachRowWithSigns) { expect_the_plain_descents(SignStep{}, 41); }
TEST(RowDescent, IsThePlainDescentOfEachRowWithNormalizedGradients) {
  expect_the_plain_descents(NormalizedGradientStep{}, 42);
}
TEST(RowDescent, IsThePlainDescentOfEachRowWithMomentum) {
  expect_the_plain_descents(MomentumSignStep{.decay = 0.8}, 43);
}

// --- The course of a run -------------------------------------------------------------------------

/// Values and gradients for each row by a script, and what it was asked for.
struct RowScript {
  std::vector<std::vector<double>> values;      ///< [row][iterate]
  std::vector<std::vector<float>> gradients{};  ///< [row][iterate]; −1 where there is none
  std::vector<std::vector<Index>> asked{};
  std::vector<std::vector<float>> seen{};
  std::vector<bool> gradient_needed{};

  void operator()(const RowEvaluation<float>& at) {
    const std::size_t call = asked.size();
    asked.emplace_back(at.rows.begin(), at.rows.end());
    seen.emplace_back(at.noise.flat().begin(), at.noise.flat().end());
    gradient_needed.push_back(at.gradient_needed);
    for (std::size_t row = 0; row < values.size(); ++row) {
      // What is written for rows that have stopped is not read.
      at.values[row] = nan;
      std::ranges::fill(at.grad.row(row), testing::nan_f);
    }
    for (const Index row : at.rows) {
      at.values[row] = values[row].at(call);
      const bool given = row < gradients.size() && call < gradients[row].size();
      std::ranges::fill(at.grad.row(row), given ? gradients[row][call] : -1.0F);
    }
  }
};

/// Steps of 1 from 0, one number a row.
RowDescentResult follow(RowScript& script, ProjectedSignDescent descent,
                        std::vector<float>& noise) {
  descent.step = 1;
  const std::vector<float> clean(noise.size());
  const BallAndBoxSet<float, LinfBall<>> set{.ball = {.radius = 100},
                                             .clean = {clean.data(), {noise.size(), 1}},
                                             .box = {.low = -100, .high = 100}};
  return descent.optimize_rows(script, View<float, 2>(noise, {noise.size(), 1}), set);
}

TEST(RowDescent, LeavesEachRowAtItsOwnBestIterate) {
  RowScript script{.values = {{5, 3, 4}, {1, 2, 0}, {2, 2, 2}}};
  std::vector<float> noise(3);
  const RowDescentResult result = follow(script, {.steps = 2}, noise);
  EXPECT_THAT(noise, ElementsAre(1, 2, 0));
  EXPECT_EQ(result.rows[0].value, 3);
  EXPECT_EQ(result.rows[1].value, 0);
  EXPECT_EQ(result.rows[2].value, 2);
  EXPECT_EQ(result.rows[0].step, 1);
  EXPECT_EQ(result.rows[1].step, 2);
  EXPECT_EQ(result.rows[2].step, 0) << "the earliest of equals";
  EXPECT_EQ(result.rows[2].steps, 2);
  EXPECT_EQ(result.evaluations, 3);
  EXPECT_THAT(script.gradient_needed, ElementsAre(true, true, false));
}

TEST(RowDescent, FreezesARowThatHasStopped) {
  RowScript script{.values = {{5, 2, 0, 0}, {5, 4, 3, 1}, {1}}};
  std::vector<float> noise(3);
  const RowDescentResult result = follow(script, {.steps = 5, .stop_value = 2}, noise);
  EXPECT_THAT(script.asked,
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0, 1), ElementsAre(1), ElementsAre(1)));
  EXPECT_THAT(script.seen, ElementsAre(ElementsAre(0, 0, 0), ElementsAre(1, 1, 0),
                                       ElementsAre(1, 2, 0), ElementsAre(1, 3, 0)));
  EXPECT_THAT(noise, ElementsAre(1, 3, 0));
  EXPECT_THAT(result.success_mask(), ElementsAre(true, true, true));
  EXPECT_EQ(result.rows[0].steps, 1);
  EXPECT_EQ(result.rows[2].steps, 0);
  EXPECT_EQ(result.evaluations, 4) << "there is no row left";
}

TEST(RowDescent, SaysWhichRowsSucceeded) {
  RowScript script{.values = {{5, 2}, {5, 4}}};
  std::vector<float> noise(2);
  const RowDescentResult result = follow(script, {.steps = 1, .stop_value = 2}, noise);
  EXPECT_THAT(result.success_mask(), ElementsAre(true, false));
  EXPECT_EQ(result.rows[1].stop, StopReason::step_limit);
}

TEST(RowDescent, FreezesARowThatIsNotFinite) {
  RowScript script{.values = {{5, 4, nan}, {5, 6, 7, 1}, {infinity}, {5, 4}},
                   .gradients = {{}, {}, {}, {-1, testing::infinity_f}}};
  std::vector<float> noise(4);
  const RowDescentResult result = follow(script, {.steps = 3}, noise);
  EXPECT_THAT(script.asked, ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(0, 1, 3),
                                        ElementsAre(0, 1), ElementsAre(1)));
  EXPECT_THAT(noise, ElementsAre(1, 3, 0, 0));
  EXPECT_EQ(result.rows[0].stop, StopReason::not_finite);
  EXPECT_EQ(result.rows[0].value, 4);
  EXPECT_EQ(result.rows[0].steps, 2);
  EXPECT_EQ(result.rows[1].stop, StopReason::step_limit);
  EXPECT_EQ(result.rows[2].stop, StopReason::not_finite);
  EXPECT_EQ(result.rows[2].value, infinity) << "the start's own";
  EXPECT_EQ(result.rows[3].stop, StopReason::not_finite);
  EXPECT_EQ(result.rows[3].value, 5) << "the start's: the next has no finite gradient";
}

TEST(RowDescent, KeepsTheLastIterateOfEachRow) {
  RowScript script{.values = {{5, 1, 3}, {5, 7, nan}}};
  std::vector<float> noise(2);
  const RowDescentResult result = follow(script, {.steps = 2, .keep = Keep::last}, noise);
  EXPECT_THAT(noise, ElementsAre(2, 1));
  EXPECT_EQ(result.rows[0].value, 3);
  EXPECT_EQ(result.rows[1].value, 7);
}

TEST(RowDescent, NeedsNoGradientWithoutSteps) {
  RowScript script{.values = {{5}, {2}}};
  std::vector<float> noise{250, 0};
  const RowDescentResult result = follow(script, {.steps = 0, .stop_value = 3}, noise);
  EXPECT_THAT(script.gradient_needed, ElementsAre(false));
  EXPECT_THAT(noise, ElementsAre(100, 0)) << "projected";
  EXPECT_THAT(result.success_mask(), ElementsAre(false, true));
}

TEST(RowDescent, OfNoRowsAsksNothing) {
  RowScript script{};
  std::vector<float> noise;
  const RowDescentResult result = follow(script, {}, noise);
  EXPECT_EQ(result.evaluations, 0);
  EXPECT_THAT(result.rows, IsEmpty());
}

// --- Some rows -----------------------------------------------------------------------------------

struct SomeRows {
  std::vector<float> clean = std::vector<float>(4);
  std::vector<float> noise{9, 9, 9, 9};  ///< outside the ball
  BallAndBoxSet<float, LinfBall<>> set{
      .ball = {.radius = 5}, .clean = {clean.data(), {4, 1}}, .box = {.low = -9, .high = 9}};

  RowDescentResult run(RowScript& script, std::vector<Index> rows) {
    return ProjectedSignDescent{.step = 1, .steps = 2, .goal = Goal::maximize}.optimize_rows(
        script, View<float, 2>(noise, {4, 1}), set, sequential, std::span<const Index>(rows));
  }
};

TEST(RowDescent, LeavesRowsThatTakeNoPart) {
  RowScript script{.values = {{}, {0, 1, 2}, {}, {3, 2, 1}}};
  script.gradients = {{}, {-1, -1}, {}, {1, 1}};
  SomeRows some;
  const RowDescentResult result = some.run(script, {1, 3});
  EXPECT_THAT(script.asked[0], ElementsAre(1, 3));
  EXPECT_THAT(some.noise, ElementsAre(9, 3, 9, 5));
  EXPECT_EQ(result.rows[0].stop, StopReason::running);
  EXPECT_EQ(result.rows[1].value, 2);
  EXPECT_EQ(result.rows[3].value, 3);
}

TEST(RowDescent, RefusesRowsOutOfOrderOrRange) {
  RowScript script{};
  SomeRows some;
  for (const std::vector<Index>& rows : {std::vector<Index>{1, 0}, {2, 2}, {4}}) {
    EXPECT_THROW((void)some.run(script, rows), InvalidArgument);
  }
  EXPECT_THAT(script.asked, IsEmpty());
  EXPECT_THAT(some.noise, ElementsAre(9, 9, 9, 9));
}

// --- Types, policies and misuse ------------------------------------------------------------------

/// −Σ δ of each row, in levels.
void brightness(const RowEvaluation<std::int8_t>& at) {
  for (const Index row : at.rows) {
    at.values[row] = 0;
    for (const std::int8_t delta : at.noise.row(row)) at.values[row] -= delta;
    std::ranges::fill(at.grad.row(row), -1.0F);
  }
}

TEST(RowDescent, StopsRowsOnThePixelGrid) {
  const std::vector<std::uint8_t> pixels{100, 100, 254, 255};
  const PixelGridSet set{.lattice = {.step = 1, .radius = 8}, .clean = {pixels, {2, 2}}};
  std::vector<std::int8_t> noise(4);
  const RowDescentResult result = ProjectedSignDescent{.stop_value = -6}.optimize_rows(
      brightness, View<std::int8_t, 2>(noise, {2, 2}), set);
  EXPECT_THAT(noise, ElementsAre(3, 3, 1, 0));
  EXPECT_THAT(result.success_mask(), ElementsAre(true, false));
  EXPECT_EQ(result.rows[0].steps, 3);
  EXPECT_EQ(result.rows[1].step, 1) << "the first of equals";
  EXPECT_EQ(result.rows[1].steps, 8);
}

TEST(RowDescent, RunsInTheMemoryOfADevice) {
  std::size_t allocations = 0;
  const testing::ClosedBackend device{.allocations = &allocations};
  auto pixels = device.scratch<std::uint8_t>(6);
  device.fill(std::uint8_t{100}, 6, pixels.data());
  auto noise = device.scratch<std::int8_t>(6);
  device.fill(std::int8_t{0}, 6, noise.data());
  const PixelGridSet set{.lattice = {.step = 1, .radius = 8}, .clean = {pixels.data(), {3, 2}}};
  const auto f = [](const RowEvaluation<std::int8_t>& at) {
    const testing::OpenMemory open;
    brightness(at);
    for (const Index row : at.rows) at.values[row] *= 1 + row;
  };
  const RowDescentResult result = ProjectedSignDescent{.stop_value = -12}.optimize_rows(
      f, View<std::int8_t, 2>(noise.data(), {3, 2}), set, device);
  std::vector<std::int8_t> ended(6);
  device.copy_out(noise.data(), 6, ended.data());
  EXPECT_THAT(ended, ElementsAre(6, 6, 3, 3, 2, 2));
  EXPECT_THAT(result.success_mask(), ElementsAre(true, true, true));
}

TEST(RowDescent, HasTheSameBytesForEveryPolicy) {
  constexpr std::size_t rows = 4;
  constexpr std::size_t elements = 30000;
  SplitMix64 rng(44);
  const auto clean = random_numbers<float>(rng, rows * elements, 0, 1);
  const std::vector<double> radii{0.5, 1, 2, 3};
  const BallAndBoxSet set{.ball = BallPerRow<L2Ball>{.radii = radii},
                          .clean = View<const float, 2>(clean, {rows, elements})};
  const auto f = [](const RowEvaluation<float>& at) {
    for (const Index row : at.rows) {
      at.values[row] = 0;
      for (std::size_t i = 0; i < elements; ++i) {
        const double phase = 300.0 * at.noise[row][i] + static_cast<double>(i);
        at.values[row] += std::sin(phase);
        at.grad[row][i] = static_cast<float>(std::cos(phase));
      }
    }
  };
  const auto run = [&](const auto& policy) {
    std::vector<float> noise(rows * elements);
    ProjectedDescent<NormalizedGradientStep>{.step = 0.3, .steps = 4}.optimize_rows(
        f, View<float, 2>(noise, {rows, elements}), set, policy);
    return noise;
  };
  const std::vector<float> expected = run(sequential);
  EXPECT_THAT(expected, ::testing::Contains(::testing::Not(0)));
  for (const unsigned threads : {1U, 2U, 3U}) {
    EXPECT_TRUE(run(Parallel{.threads = threads}) == expected);
  }
}

TEST(RowDescent, RefusesWhatTheDescentRefuses) {
  RowScript script{.values = {{1, 1}}};
  std::vector<float> noise{2};
  EXPECT_THROW((void)follow(script, {.steps = -1}, noise), InvalidArgument);
  EXPECT_THROW((void)follow(script, {.stop_value = nan}, noise), InvalidArgument);
  noise[0] = testing::nan_f;
  EXPECT_THROW((void)follow(script, {.steps = 1}, noise), InvalidArgument);
  EXPECT_THAT(script.asked, IsEmpty());
}

TEST(RowDescent, PassesOnWhatTheObjectiveThrows) {
  RowScript script{.values = {{5, 4}, {0}}};
  std::vector<float> noise(2);
  EXPECT_THROW((void)follow(script, {.steps = 9, .stop_value = 0}, noise), std::out_of_range);
  EXPECT_THAT(noise, ElementsAre(2, 0)) << "the iterate that it threw at, and the row that stopped";
}

}  // namespace
}  // namespace unlearn
