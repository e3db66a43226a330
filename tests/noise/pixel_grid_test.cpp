// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/pixel_grid_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::BallAndBoxSet;
using unlearn::Box;
using unlearn::InvalidArgument;
using unlearn::LinfBall;
using unlearn::Parallel;
using unlearn::parallel;
using unlearn::PixelGrid;
using unlearn::PixelGridSet;
using unlearn::sequential;
using unlearn::SplitMix64;
using unlearn::View;
using unlearn::testing::fast_math;
using unlearn::testing::message_of;
using unlearn::testing::nan_f;
using unlearn::testing::random_gradient;
using unlearn::testing::same_bytes;

static_assert(unlearn::FeasibleSet<PixelGridSet, std::int8_t>);
static_assert(!unlearn::FeasibleSet<PixelGridSet, float>);

constexpr double level = 1.0 / 255;

template <class T>
View<T, 2> as_row(std::span<T> numbers) {
  return {numbers, {1, numbers.size()}};
}

std::vector<std::int8_t> random_noise(SplitMix64& rng, std::size_t count) {
  std::vector<std::int8_t> noise(count);
  for (std::int8_t& delta : noise) delta = static_cast<std::int8_t>(rng() % 256);
  return noise;
}

std::vector<std::uint8_t> random_pixels(SplitMix64& rng, std::size_t count) {
  std::vector<std::uint8_t> pixels(count);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(rng() % 256);
  return pixels;
}

TEST(PixelGrid, IsMadeFromSignalUnits) {
  const PixelGrid lattice = PixelGrid::from(2.0 / 255, 8.0 / 255);
  EXPECT_EQ(lattice.step, 2);
  EXPECT_EQ(lattice.radius, 8);
  EXPECT_EQ(PixelGrid::from(1.0F / 255.0F, 127.0F / 255.0F).radius, 127) << "float will do";
  EXPECT_EQ(PixelGrid::from(0, 0).step, 0);
}

TEST(PixelGrid, IsMadeFromABallOfOneRadius) {
  EXPECT_EQ(PixelGrid::from(level, LinfBall{.radius = 16.0 / 255}).radius, 16);
  EXPECT_THROW((void)PixelGrid::from(level, LinfBall{.radius = 0.05}), InvalidArgument);
}

TEST(PixelGrid, KnowsEveryWholeLevel) {
  for (int levels = 0; levels <= 255; ++levels) {
    EXPECT_EQ(PixelGrid::to_levels("step", levels / 255.0), levels);
    EXPECT_EQ(PixelGrid::to_levels("step", static_cast<float>(-levels) / 255.0F), -levels);
  }
}

TEST(PixelGrid, RefusesWhatIsBetweenLevels) {
  EXPECT_THROW((void)PixelGrid::from(0.5 / 255, 8.0 / 255), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(level, 0.0314), InvalidArgument) << "8/255 is 0.03137...";
  EXPECT_THROW((void)PixelGrid::from(level, 8), InvalidArgument) << "levels for signal units";
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)PixelGrid::from(level, 0.03); }),
            "radius on the pixel lattice: expected a whole number of levels of 1/255, "
            "got 7.650000");
}

TEST(PixelGrid, RefusesWhatInt8CannotHold) {
  EXPECT_THROW((void)PixelGrid::from(level, 128.0 / 255), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(level, -1.0 / 255), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(-level, 8.0 / 255), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(unlearn::not_a_number<double>(), 0), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(0, unlearn::positive_infinity<double>()), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::from(1e300, 0), InvalidArgument);
  EXPECT_THROW((void)PixelGrid::to_levels("step", 1e5), InvalidArgument) << "more than 10^6";
}

/// The definition: of all feasible noises, the one nearest to `target`.
std::int8_t nearest_feasible(int target, int pixel, int radius) {
  int nearest = 0;
  for (int delta = -radius; delta <= radius; ++delta) {
    const bool feasible = pixel + delta >= 0 && pixel + delta <= 255;
    if (feasible && std::abs(delta - target) < std::abs(nearest - target)) nearest = delta;
  }
  return static_cast<std::int8_t>(nearest);
}

/// Every pixel with every int8 and every sign.
struct EveryState {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int8_t> noise;
  std::vector<float> grad;

  EveryState() {
    for (int pixel = 0; pixel < 256; ++pixel) {
      for (int delta = -128; delta < 128; ++delta) {
        for (const float sign : {-1.0F, 0.0F, 1.0F}) {
          pixels.push_back(static_cast<std::uint8_t>(pixel));
          noise.push_back(static_cast<std::int8_t>(delta));
          grad.push_back(sign);
        }
      }
    }
  }
};

TEST(PixelGridSet, StepsToTheNearestFeasibleNoiseFromEveryState) {
  const EveryState all;
  for (const int radius : {0, 1, 8, 127}) {
    const PixelGridSet set{.lattice = {.radius = radius}, .clean = as_row(std::span(all.pixels))};
    for (const int step : {0, 1, -3, 126, -127, 128, 254, -255, 256, -100000}) {
      std::vector<std::int8_t> expected(all.noise.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const int target = all.noise[i] + step * static_cast<int>(all.grad[i]);
        expected[i] = nearest_feasible(target, all.pixels[i], radius);
      }
      const auto run = [&](const auto& policy) {
        std::vector<std::int8_t> noise = all.noise;
        set.sign_step(policy, as_row(std::span(noise)), as_row(std::span(all.grad)), step * level);
        return noise;
      };
      ASSERT_TRUE(run(sequential) == expected) << "radius " << radius << ", step " << step;
      ASSERT_TRUE(run(parallel) == expected) << "radius " << radius << ", step " << step;
    }
  }
}

TEST(PixelGridSet, ProjectsToTheNearestFeasibleNoiseFromEveryState) {
  const EveryState all;
  const PixelGridSet set{.lattice = {.radius = 100}, .clean = as_row(std::span(all.pixels))};
  std::vector<std::int8_t> by_reference = all.noise;
  std::vector<std::int8_t> by_threads = all.noise;
  set.project(sequential, as_row(std::span(by_reference)));
  set.project(parallel, as_row(std::span(by_threads)));
  for (std::size_t i = 0; i < all.noise.size(); ++i) {
    ASSERT_EQ(by_reference[i], nearest_feasible(all.noise[i], all.pixels[i], 100));
  }
  EXPECT_TRUE(by_reference == by_threads);
}

TEST(PixelGridSet, DoesNotMoveWhereTheGradientIsZeroOrNaN) {
  const std::vector<std::uint8_t> pixels(3, 100);
  const float nan = fast_math ? 0 : nan_f;  // descents stop before they step along a NaN
  const std::vector<float> grad{0, -0.0F, nan};
  std::vector<std::int8_t> noise{1, -2, 3};
  const PixelGridSet set{.lattice = {}, .clean = as_row(std::span(pixels))};
  set.sign_step(parallel, as_row(std::span(noise)), as_row(std::span(grad)), level);
  EXPECT_THAT(noise, ElementsAre(1, -2, 3));
}

constexpr std::size_t walk_width = 997;

/// Walks in random directions, on the pixel grid and in floating point at the same time.
struct SameWalk {
  PixelGrid lattice;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int8_t> noise;

  explicit SameWalk(SplitMix64& rng)
      : lattice{.step = static_cast<int>(rng() % (rng() % 2 == 0 ? 4 : 255)),
                .radius = static_cast<int>(rng() % 128)},
        pixels(random_pixels(rng, walk_width)),
        noise(random_noise(rng, walk_width)) {}

  /// Takes a step in both. `unit` is one level in the units of `delta`.
  template <class T>
  void step(SplitMix64& rng, const BallAndBoxSet<T, LinfBall<>>& floating, std::vector<T>& delta,
            double unit) {
    const std::vector<float> grad = random_gradient<float>(rng, walk_width);
    const std::vector<T> same_grad(grad.begin(), grad.end());
    const int levels = rng() % 2 == 0 ? lattice.step : -lattice.step;
    const PixelGridSet set{.lattice = lattice, .clean = as_row(std::span(std::as_const(pixels)))};
    set.sign_step(parallel, as_row(std::span(noise)), as_row(std::span(grad)), levels * level);
    floating.sign_step(parallel, as_row(std::span(delta)), as_row(std::span(same_grad)),
                       levels * unit);
  }
};

constexpr int walks = 60;
constexpr int steps_per_walk = 25;

TEST(PixelGridSet, GivesTheSameBitsAsFloatsInLevels) {
  SplitMix64 rng(6);
  for (int i = 0; i < walks; ++i) {
    SameWalk walk(rng);
    const std::vector<float> clean(walk.pixels.begin(), walk.pixels.end());
    std::vector<float> delta(walk.noise.begin(), walk.noise.end());
    const BallAndBoxSet floating{
        .ball = LinfBall{.radius = static_cast<double>(walk.lattice.radius)},
        .clean = as_row(std::span(clean)),
        .box = Box<float>{.low = 0, .high = 255}};
    for (int step = 0; step < steps_per_walk; ++step) {
      walk.step(rng, floating, delta, 1);
      const std::vector<float> from_lattice(walk.noise.begin(), walk.noise.end());
      ASSERT_TRUE(same_bytes<float>(delta, from_lattice))
          << "step " << walk.lattice.step << ", radius " << walk.lattice.radius;
    }
  }
}

template <class T>
class LatticeNoiseAgainst : public testing::Test {};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(LatticeNoiseAgainst, Numbers);

TYPED_TEST(LatticeNoiseAgainst, TheUnitBoxGivesTheSameLevels) {
  using T = TypeParam;
  SplitMix64 rng(9);
  for (int i = 0; i < walks; ++i) {
    SameWalk walk(rng);
    std::vector<T> clean(walk_width);
    std::vector<T> delta(walk_width);
    for (std::size_t j = 0; j < walk_width; ++j) {
      clean[j] = static_cast<T>(walk.pixels[j]) / T{255};
      delta[j] = static_cast<T>(walk.noise[j]) / T{255};
    }
    const BallAndBoxSet floating{.ball = LinfBall{.radius = walk.lattice.radius * level},
                                 .clean = as_row(std::span(std::as_const(clean)))};
    for (int step = 0; step < steps_per_walk; ++step) {
      walk.step(rng, floating, delta, level);
      for (std::size_t j = 0; j < walk_width; ++j) {
        ASSERT_EQ(std::round(255 * delta[j]), walk.noise[j])
            << "step " << walk.lattice.step << ", radius " << walk.lattice.radius;
      }
    }
  }
}

TEST(PixelGridSet, HasTheSameBytesForEveryPolicy) {
  SplitMix64 rng(7);
  for (const std::size_t count :
       {0U, 1U, 15U, 16U, 17U, 63U, 64U, 65U, 65535U, 65536U, 65537U, 300001U}) {
    for (const std::size_t offset : {0U, 1U, 5U}) {
      const std::vector<std::uint8_t> pixels = random_pixels(rng, count + offset);
      const std::vector<float> grad = random_gradient<float>(rng, count + offset);
      const std::vector<std::int8_t> start = random_noise(rng, count + offset);
      const PixelGridSet set{.lattice = {.radius = 8},
                             .clean = as_row(std::span(pixels).subspan(offset))};
      const auto run = [&](const auto& policy) {
        std::vector<std::int8_t> noise = start;
        set.sign_step(policy, as_row(std::span(noise).subspan(offset)),
                      as_row(std::span(grad).subspan(offset)), -3 * level);
        return noise;
      };
      const std::vector<std::int8_t> expected = run(sequential);
      for (const unsigned threads : {0U, 1U, 2U, 3U, 7U}) {
        ASSERT_TRUE(run(Parallel{.threads = threads}) == expected)
            << count << " pixels, offset " << offset << ", " << threads << " threads";
      }
    }
  }
}

TEST(PixelGridSet, RefusesMisuse) {
  const std::vector<std::uint8_t> pixels(6);
  std::vector<std::int8_t> noise(6, 100);
  const std::vector<float> grad(6, 1);
  const View<const std::uint8_t, 2> clean(pixels, {2, 3});
  const View<std::int8_t, 2> delta(noise, {2, 3});
  const View<const float, 2> gradient(grad, {2, 3});
  const PixelGridSet set{.lattice = {}, .clean = clean};
  const View<std::int8_t, 2> other_noise(noise, {3, 2});
  const View<const float, 2> other_gradient(grad, {3, 2});

  EXPECT_THROW(set.project(parallel, other_noise), InvalidArgument);
  EXPECT_THROW(set.sign_step(parallel, delta, other_gradient, level), InvalidArgument);
  EXPECT_THROW(set.sign_step(parallel, delta, gradient, 1.5 * level), InvalidArgument);
  EXPECT_THROW(set.sign_step(parallel, delta, gradient, unlearn::not_a_number<double>()),
               InvalidArgument);
  for (const PixelGrid lattice :
       {PixelGrid{.radius = 128}, PixelGrid{.radius = -1}, PixelGrid{.step = -1}}) {
    EXPECT_THROW((PixelGridSet{.lattice = lattice, .clean = clean}.project(parallel, delta)),
                 InvalidArgument);
  }
  EXPECT_THAT(noise, testing::Each(100)) << "nothing is changed";
}

}  // namespace
