// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/random_starts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/ball_per_row.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/normalized_gradient_step.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using testing::random_numbers;

static_assert(DrawableSet<PixelGridSet, std::int8_t, SplitMix64>);
static_assert(DrawableSet<BallAndBoxSet<float, LinfBall<>>, float, SplitMix64>);
static_assert(DrawableBall<L2Ball, float, SplitMix64>);
static_assert(!DrawableBall<LinfBall<>, float, SplitMix64>, "its set draws number by number");

// --- Draws ---------------------------------------------------------------------------------------

TEST(RandomStart, IsUniformOverTheBallAndTheBox) {
  // One number a row; x is 0.1 from the box's lower end, and the radius 0.3: from −0.1 to 0.3.
  constexpr std::size_t count = 40000;
  const std::vector<float> clean(count, 0.1F);
  const BallAndBoxSet set{.ball = LinfBall{.radius = 0.3},
                          .clean = View<const float, 2>(clean, {count, 1})};
  std::vector<float> noise(count, testing::nan_f);
  SplitMix64 rng(61);
  set.draw(View<float, 2>(noise, {count, 1}), rng);
  std::vector<double> tenths(10);
  for (const float delta : noise) {
    ASSERT_TRUE(delta >= -0.1F && delta <= 0.3F);
    tenths[std::min<std::size_t>(9, static_cast<std::size_t>((delta + 0.1F) * 25))] += 1;
  }
  // A share of 0.1 has a standard deviation of 60.
  for (const double share : tenths) EXPECT_NEAR(share, 4000, 300);
}

TEST(RandomStart, IsUniformOverThePixelGrid) {
  // A pixel of 2 in a radius of 4: levels from −2 to 4.
  constexpr std::size_t count = 70000;
  const std::vector<std::uint8_t> pixels(count, 2);
  const PixelGridSet set{.lattice = {.step = 1, .radius = 4}, .clean = {pixels, {1, count}}};
  std::vector<std::int8_t> noise(count);
  SplitMix64 rng(62);
  set.draw(View<std::int8_t, 2>(noise, {1, count}), rng);
  std::map<int, int> counts;
  for (const std::int8_t level : noise) ++counts[level];
  EXPECT_EQ(counts.size(), 7);
  EXPECT_EQ(counts.begin()->first, -2);
  for (const auto& [level, drawn] : counts) EXPECT_NEAR(drawn, 10000, 500) << level;
}

TEST(RandomStart, IsUniformOverAnL2Ball) {
  // In D dimensions (‖δ‖ / r)^D is uniform in [0, 1], and no direction is preferred.
  constexpr std::size_t count = 20000;
  constexpr std::size_t elements = 3;
  std::vector<double> clean(count * elements);
  const BallAndBoxSet<double, L2Ball> set{.ball = {.radius = 2},
                                          .clean = {clean.data(), {count, elements}},
                                          .box = {.low = -9, .high = 9}};
  std::vector<double> noise(count * elements);
  SplitMix64 rng(63);
  const View<double, 2> drawn(noise, {count, elements});
  set.draw(drawn, rng);
  std::vector<double> tenths(10);
  std::vector<double> mean(elements);
  std::vector<double> products(elements);
  for (std::size_t row = 0; row < count; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < elements; ++i) {
      const double x = drawn[row][i];
      squares += x * x;
      mean[i] += x / count;
      products[i] += x * drawn[row][(i + 1) % elements] / count;
    }
    ASSERT_LE(squares, 4 * (1 + 1e-15));
    const double unit = std::pow(squares / 4, 1.5);
    tenths[std::min<std::size_t>(9, static_cast<std::size_t>(unit * 10))] += 1;
  }
  for (const double share : tenths) EXPECT_NEAR(share, 2000, 220);
  // Variances of a coordinate: r² / (D + 2) = 0.8, so means have a deviation of 0.0063.
  for (std::size_t i = 0; i < elements; ++i) {
    EXPECT_NEAR(mean[i], 0, 0.04);
    EXPECT_NEAR(products[i], 0, 0.04);
  }
}

template <class T, class BallT>
void expect_feasible(const BallT& ball, SplitMix64& rng) {
  // Elementwise balls also take signals that are outside the box.
  const double outside = ElementwiseBall<BallT, T> ? 0.2 : 0;
  const auto clean = random_numbers<T>(rng, 64, -outside, 1 + outside);
  const BallAndBoxSet set{.ball = ball, .clean = View<const T, 2>(clean, {4, 16})};
  std::vector<T> drawn(64);
  set.draw(View<T, 2>(drawn, {4, 16}), rng);
  std::vector<T> projected = drawn;
  set.project(sequential, View<T, 2>(projected, {4, 16}));
  for (std::size_t i = 0; i < drawn.size(); ++i) ASSERT_NEAR(drawn[i], projected[i], 1e-7);
}

TEST(RandomStart, IsInTheSet) {
  SplitMix64 rng(64);
  const std::vector<double> radii{0.1, 0, 0.4, 3};
  for (int repeat = 0; repeat < 20; ++repeat) {
    expect_feasible<float>(LinfBall{.radius = 0.3}, rng);
    expect_feasible<double>(LinfBall{.radius = 0.3}, rng);
    expect_feasible<float>(LinfBall{.radius = PerChannel{.radii = radii, .plane = 1}}, rng);
  }
}

TEST(RandomStart, IsInBallsThatAreNotElementwise) {
  SplitMix64 rng(65);
  const std::vector<double> radii{0.1, 0, 0.4, 3};
  for (int repeat = 0; repeat < 20; ++repeat) {
    expect_feasible<float>(L2Ball{.radius = 0.3}, rng);
    expect_feasible<float>(BallPerRow<L2Ball>{.radii = radii}, rng);
    expect_feasible<double>(BallPerRow<LinfBall<>>{.radii = radii}, rng);
  }
}

TEST(RandomStart, NeedsABound) {
  const std::vector<float> clean(2);
  std::vector<float> noise(2);
  SplitMix64 rng(66);
  const auto draw = [&](const auto& ball, Box<float> box) {
    const BallAndBoxSet set{.ball = ball, .clean = View<const float, 2>(clean, {1, 2}), .box = box};
    set.draw(View<float, 2>(noise, {1, 2}), rng);
  };
  const Box<float> everywhere{.low = -testing::infinity_f, .high = testing::infinity_f};
  const double infinity = testing::infinity;
  EXPECT_THROW(draw(LinfBall{.radius = infinity}, everywhere), InvalidArgument);
  EXPECT_THROW(draw(LinfBall{.radius = infinity}, {.low = 0, .high = testing::infinity_f}),
               InvalidArgument);
  EXPECT_THROW(draw(L2Ball{.radius = infinity}, {}), InvalidArgument);
  EXPECT_NO_THROW(draw(LinfBall{.radius = infinity}, {}));
  EXPECT_NO_THROW(draw(L2Ball{.radius = 1}, everywhere));
}

// --- Restarts ------------------------------------------------------------------------------------

/// Each row has two valleys, at −1 and at 1 of its only number; the right one is deeper for odd
/// rows, the left one for even rows.
double valley(std::size_t row, double x) {
  const double tilt = row % 2 == 0 ? 0.25 : -0.25;
  return (x * x - 1) * (x * x - 1) + tilt * x;
}
double valley_slope(std::size_t row, double x) {
  return 4 * x * (x * x - 1) + (row % 2 == 0 ? 0.25 : -0.25);
}
void valleys(const RowEvaluation<double>& at) {
  for (const Index row : at.rows) {
    at.values[row] = valley(row, at.noise[row][0]);
    at.grad[row][0] = valley_slope(row, at.noise[row][0]);
  }
}

struct TwentyRows {
  std::vector<double> clean = std::vector<double>(20);
  BallAndBoxSet<double, LinfBall<>> set{
      .ball = {.radius = 2}, .clean = {clean.data(), {20, 1}}, .box = {.low = -2, .high = 2}};
  std::vector<double> noise = std::vector<double>(20, 9);
  View<double, 2> view{noise, {20, 1}};
};

TEST(RandomStarts, FindTheDeeperValleyOfEachRow) {
  TwentyRows rows;
  SplitMix64 rng(67);
  const RandomStarts starts{.descent = ProjectedSignDescent{.step = 0.02, .steps = 120},
                            .starts = 12};
  const RowDescentResult result = starts.optimize_rows(valleys, rows.view, rows.set, rng);
  int from_later_starts = 0;
  for (std::size_t row = 0; row < 20; ++row) {
    EXPECT_NEAR(rows.noise[row], row % 2 == 0 ? -1.03 : 1.03, 0.05);
    EXPECT_EQ(result.rows[row].value, valley(row, rows.noise[row]));
    from_later_starts += static_cast<int>(result.rows[row].start > 0);
  }
  EXPECT_GT(from_later_starts, 0);
  EXPECT_EQ(result.evaluations, 12 * 121);
}

TEST(RandomStarts, AreTheSameDescentsOneByOne) {
  TwentyRows rows;
  const ProjectedSignDescent descent{.step = 0.3, .steps = 3};
  SplitMix64 rng(68);
  const RowDescentResult result = RandomStarts{.descent = descent, .starts = 4}.optimize_rows(
      valleys, rows.view, rows.set, rng);

  TwentyRows single;
  SplitMix64 same(68);
  std::vector<double> best(20, testing::infinity);
  std::vector<double> noise(20);
  std::vector<int> from(20);
  for (int start = 0; start < 4; ++start) {
    single.set.draw(single.view, same);
    const auto found = descent.optimize_rows(valleys, single.view, single.set);
    for (std::size_t row = 0; row < 20; ++row) {
      if (found.rows[row].value >= best[row]) continue;
      best[row] = found.rows[row].value;
      noise[row] = single.noise[row];
      from[row] = start;
    }
  }
  EXPECT_EQ(rows.noise, noise);
  for (std::size_t row = 0; row < 20; ++row) {
    EXPECT_EQ(result.rows[row].value, best[row]);
    EXPECT_EQ(result.rows[row].start, from[row]);
  }
}

TEST(RandomStarts, DoNotStartARowAgainThatSucceeded) {
  TwentyRows rows;
  SplitMix64 rng(69);
  std::vector<std::size_t> asked;
  std::vector<std::vector<double>> seen;
  const auto f = [&](const RowEvaluation<double>& at) {
    valleys(at);
    asked.push_back(at.rows.size());
    seen.emplace_back(at.noise.flat().begin(), at.noise.flat().end());
  };
  const RandomStarts starts{
      .descent = ProjectedSignDescent{.step = 0.02, .steps = 120, .stop_value = -0.2},
      .starts = 50};
  const RowDescentResult result = starts.optimize_rows(f, rows.view, rows.set, rng);
  EXPECT_TRUE(std::ranges::is_sorted(asked, std::greater<>{})) << "fewer and fewer rows";
  EXPECT_LT(asked.size(), 50 * 121) << "it ends when all rows have succeeded";
  for (std::size_t row = 0; row < 20; ++row) {
    EXPECT_TRUE(result.rows[row].success());
    EXPECT_LE(valley(row, rows.noise[row]), -0.2);
  }
  const auto first = static_cast<std::size_t>(std::ranges::find(asked, 20) - asked.begin());
  ASSERT_EQ(first, 0);
  for (std::size_t row = 0; row < 20; ++row) {
    if (result.rows[row].start > 0) continue;
    EXPECT_EQ(seen.back()[row], rows.noise[row]) << "rows that succeeded stay where they are";
  }
}

TEST(RandomStarts, KeepTheBestOfAWholeBatch) {
  TwentyRows rows;
  std::vector<double> ends;
  const auto f = [&](View<const double, 2> noise, View<double, 2> grad) {
    double value = 0;
    for (std::size_t row = 0; row < 20; ++row) {
      value += valley(row, noise[row][0]);
      grad[row][0] = valley_slope(row, noise[row][0]);
    }
    ends.push_back(value);
    return value;
  };
  for (const Goal goal : {Goal::minimize, Goal::maximize}) {
    ends.clear();
    SplitMix64 rng(70);
    const RandomStarts starts{
        .descent = ProjectedSignDescent{.step = 0.1, .steps = 5, .goal = goal}, .starts = 6};
    const DescentResult result = starts.optimize(f, rows.view, rows.set, rng);
    EXPECT_EQ(result.evaluations, 36);
    EXPECT_EQ(ends.size(), 36);
    const auto [lowest, highest] = std::ranges::minmax_element(ends);
    EXPECT_EQ(result.value, goal == Goal::minimize ? *lowest : *highest);
    std::vector<double> unused(20);
    EXPECT_NEAR(f(rows.view, View<double, 2>(unused, {20, 1})), result.value,
                testing::between_loops * std::abs(result.value));
  }
}

TEST(RandomStarts, EndWithTheFirstThatConverges) {
  TwentyRows rows;
  SplitMix64 rng(71);
  int calls = 0;
  const auto f = [&](View<const double, 2>, View<double, 2> grad) {
    std::ranges::fill(grad.flat(), 1);
    ++calls;
    return calls == 8 ? -1.0 : 1.0;
  };
  const RandomStarts starts{.descent = ProjectedSignDescent{.steps = 4, .stop_value = 0},
                            .starts = 9};
  const DescentResult result = starts.optimize(f, rows.view, rows.set, rng);
  EXPECT_EQ(calls, 8);
  EXPECT_EQ(result.evaluations, 8);
  EXPECT_EQ(result.steps, 2) << "of the second start";
  EXPECT_EQ(result.stop, StopReason::converged);
}

TEST(RandomStarts, PreferAFiniteStart) {
  TwentyRows rows;
  SplitMix64 rng(72);
  int calls = 0;
  const auto f = [&](const RowEvaluation<double>& at) {
    ++calls;
    for (const Index row : at.rows) {
      at.values[row] = calls == 1 ? (row == 0 ? testing::nan : -5) : 7;
      at.grad[row][0] = calls == 1 && row == 1 ? testing::infinity : 1;
    }
  };
  const RandomStarts starts{.descent = ProjectedSignDescent{.steps = 1}, .starts = 2};
  const RowDescentResult result = starts.optimize_rows(f, rows.view, rows.set, rng);
  EXPECT_EQ(result.rows[0].value, 7);
  EXPECT_EQ(result.rows[0].start, 1);
  EXPECT_EQ(result.rows[1].value, 7) << "−5, but without a gradient";
  EXPECT_EQ(result.rows[2].value, -5);
}

TEST(RandomStarts, WorkWithOtherRulesAndBalls) {
  // −‖δ‖² has its minimum anywhere on the sphere; from a random start it is reached.
  const std::vector<double> clean(6);
  const BallAndBoxSet<double, L2Ball> set{
      .ball = {.radius = 2}, .clean = {clean.data(), {2, 3}}, .box = {.low = -9, .high = 9}};
  const auto f = [](const RowEvaluation<double>& at) {
    for (const Index row : at.rows) {
      at.values[row] = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        at.values[row] -= at.noise[row][i] * at.noise[row][i];
        at.grad[row][i] = -2 * at.noise[row][i];
      }
    }
  };
  std::vector<double> noise(6);
  SplitMix64 rng(73);
  const RandomStarts starts{.descent =
                                ProjectedDescent<NormalizedGradientStep>{.step = 0.5, .steps = 6}};
  const auto result = starts.optimize_rows(f, View<double, 2>(noise, {2, 3}), set, rng);
  for (const RowOutcome& row : result.rows) EXPECT_NEAR(row.value, -4, 1e-12);
}

TEST(RandomStarts, RefuseNoStart) {
  TwentyRows rows;
  SplitMix64 rng(74);
  EXPECT_THROW((void)RandomStarts<>{.starts = 0}.optimize_rows(valleys, rows.view, rows.set, rng),
               InvalidArgument);
  const RandomStarts<> invalid{.descent = {.steps = -1}, .starts = 2};
  EXPECT_THROW((void)invalid.optimize_rows(valleys, rows.view, rows.set, rng), InvalidArgument);
  EXPECT_EQ(rows.noise[0], 9) << "nothing is changed";
}

}  // namespace
}  // namespace unlearn
