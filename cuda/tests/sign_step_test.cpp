// SPDX-License-Identifier: Apache-2.0
#include "unlearn/cuda/sign_step.cuh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

#include "noise/random_numbers.hpp"
#include "on_device.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/cuda/finite.cuh"
#include "unlearn/noise/projected_sign_descent.hpp"

namespace {

using unlearn::BallAndBoxSet;
using unlearn::Box;
using unlearn::InvalidArgument;
using unlearn::LinfBall;
using unlearn::PerChannel;
using unlearn::PixelGrid;
using unlearn::PixelGridSet;
using unlearn::SplitMix64;
using unlearn::View;
using unlearn::cuda::HalfNoise;
using unlearn::testing::DeviceArray;
using unlearn::testing::infinity_f;
using unlearn::testing::nan_f;
using unlearn::testing::random_gradient;
using unlearn::testing::random_numbers;

using Extents = std::array<std::size_t, 2>;

using ThrustsDevice = unlearn::cuda::Device<decltype(thrust::device)>;
static_assert(unlearn::DevicePolicy<ThrustsDevice>);
static_assert(unlearn::StreamingBackend<ThrustsDevice> && unlearn::RankingBackend<ThrustsDevice>);
static_assert(unlearn::NoiseBackend<ThrustsDevice, PixelGridSet>);
static_assert(unlearn::NoiseBackend<ThrustsDevice, BallAndBoxSet<double, LinfBall<PerChannel>>>);
static_assert(!unlearn::NoiseBackend<ThrustsDevice, BallAndBoxSet<float, unlearn::L2Ball>>,
              "no such kernel yet");
static_assert(unlearn::ExecutionPolicy<unlearn::cuda::Device<decltype(thrust::device)>>);
static_assert(!unlearn::DevicePolicy<unlearn::Parallel>);

// Whole packs, tails of every length, rows that begin within a pack, and nothing.
const std::vector<Extents> shapes{{0, 4}, {1, 1}, {1, 3}, {2, 4}, {3, 5}, {7, 131}, {4, 4096}};

template <class T>
std::vector<T> random_bytes(SplitMix64& rng, std::size_t count) {
  std::vector<T> bytes(count);
  for (T& byte : bytes) byte = static_cast<T>(rng() % 256);
  return bytes;
}

/// Of floats, == takes −0 for 0.
template <class T>
void expect_same_bytes(const std::vector<T>& got, const std::vector<T>& expected) {
  EXPECT_TRUE(unlearn::testing::same_bytes<T>(got, expected)) << got.size() << " numbers";
}

class SignStepOnDevice : public unlearn::testing::OnDevice {};

TEST_F(SignStepOnDevice, OfTheLatticeHasTheReferencesBytes) {
  SplitMix64 rng(1);
  for (const Extents& extents : shapes) {
    for (const int levels : {-1, 3, -300}) {
      const std::size_t count = extents[0] * extents[1];
      auto noise = random_bytes<std::int8_t>(rng, count);
      auto clean = random_bytes<std::uint8_t>(rng, count);
      auto gradient = random_gradient<float>(rng, count);
      if (count > 2) gradient[2] = nan_f;
      DeviceArray<std::int8_t> device_noise(noise);
      DeviceArray<std::uint8_t> device_clean(clean);
      DeviceArray<float> device_gradient(gradient);
      const PixelGrid lattice{.step = 1, .radius = 8};
      const double step = levels / 255.0;

      PixelGridSet{.lattice = lattice, .clean = {clean.data(), extents}}.sign_step(
          unlearn::sequential, View<std::int8_t, 2>(noise.data(), extents),
          View<const float, 2>(gradient.data(), extents), step);
      PixelGridSet{.lattice = lattice, .clean = device_clean.read(extents)}.sign_step(
          device(), device_noise.view(extents), device_gradient.read(extents), step);

      EXPECT_EQ(device_noise.numbers(), noise) << count << " numbers, " << levels << " levels";
    }
  }
}

TEST_F(SignStepOnDevice, ProjectsOntoTheLattice) {
  SplitMix64 rng(2);
  const Extents extents{5, 77};
  auto noise = random_bytes<std::int8_t>(rng, 385);
  auto clean = random_bytes<std::uint8_t>(rng, 385);
  DeviceArray<std::int8_t> device_noise(noise);
  DeviceArray<std::uint8_t> device_clean(clean);
  const PixelGrid lattice{.step = 1, .radius = 5};

  PixelGridSet{.lattice = lattice, .clean = {clean.data(), extents}}.project(
      unlearn::sequential, View<std::int8_t, 2>(noise.data(), extents));
  PixelGridSet{.lattice = lattice, .clean = device_clean.read(extents)}.project(
      device(), device_noise.view(extents));

  EXPECT_EQ(device_noise.numbers(), noise);
}

TEST_F(SignStepOnDevice, ReadsRowsThatStandAtAnyAddress) {
  SplitMix64 rng(3);
  const auto noise = random_bytes<std::int8_t>(rng, 64);
  const auto clean = random_bytes<std::uint8_t>(rng, 64);
  const auto gradient = random_gradient<float>(rng, 64);
  for (std::size_t shift = 0; shift < 4; ++shift) {
    auto expected = noise;
    DeviceArray<std::int8_t> device_noise(noise);
    DeviceArray<std::uint8_t> device_clean(clean);
    DeviceArray<float> device_gradient(gradient);
    const Extents extents{1, 60};

    PixelGridSet{.lattice = {}, .clean = {clean.data() + shift, extents}}.sign_step(
        unlearn::sequential, View<std::int8_t, 2>(expected.data() + shift, extents),
        View<const float, 2>(gradient.data() + shift, extents), -1.0 / 255);
    PixelGridSet{.lattice = {}, .clean = {device_clean.data() + shift, extents}}.sign_step(
        device(), View<std::int8_t, 2>(device_noise.data() + shift, extents),
        View<const float, 2>(device_gradient.data() + shift, extents), -1.0 / 255);

    EXPECT_EQ(device_noise.numbers(), expected) << "from number " << shift;
  }
}

template <class T>
class FloatSignStepOnDevice : public SignStepOnDevice {};
using FloatTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(FloatSignStepOnDevice, FloatTypes, );

TYPED_TEST(FloatSignStepOnDevice, HasTheReferencesBytes) {
  SplitMix64 rng(4);
  for (const Extents& extents : shapes) {
    const std::size_t count = extents[0] * extents[1];
    auto noise = random_numbers<TypeParam>(rng, count, -0.1, 0.1);
    auto clean = random_numbers<TypeParam>(rng, count, -0.05, 1.05);
    if (count > 1) noise[1] = TypeParam{-0.0};
    auto gradient = random_gradient<TypeParam>(rng, count);
    DeviceArray<TypeParam> device_noise(noise);
    DeviceArray<TypeParam> device_clean(clean);
    DeviceArray<TypeParam> device_gradient(gradient);
    const LinfBall<> ball{.radius = 8.0 / 255};
    using Set = BallAndBoxSet<TypeParam, LinfBall<>>;

    Set{.ball = ball, .clean = {clean.data(), extents}}.sign_step(
        unlearn::sequential, View<TypeParam, 2>(noise.data(), extents),
        View<const TypeParam, 2>(gradient.data(), extents), -0.013);
    Set{.ball = ball, .clean = device_clean.read(extents)}.sign_step(
        this->device(), device_noise.view(extents), device_gradient.read(extents), -0.013);

    expect_same_bytes<TypeParam>(device_noise.numbers(), noise);
  }
}

TYPED_TEST(FloatSignStepOnDevice, ProjectsWithARadiusForEachChannel) {
  SplitMix64 rng(5);
  const Extents extents{6, 30};
  const std::array<double, 3> radii{0.01, 0.05, 0};
  auto noise = random_numbers<TypeParam>(rng, 180, -0.1, 0.1);
  auto clean = random_numbers<TypeParam>(rng, 180, 0, 1);
  noise[1] = TypeParam{-0.0};
  noise[2] = TypeParam{-0.0};
  clean[2] = 0;
  DeviceArray<TypeParam> device_noise(noise);
  DeviceArray<TypeParam> device_clean(clean);
  const LinfBall<PerChannel> ball{.radius = {.radii = radii, .plane = 5}};
  using Set = BallAndBoxSet<TypeParam, LinfBall<PerChannel>>;

  Set{.ball = ball, .clean = {clean.data(), extents}}.project(
      unlearn::sequential, View<TypeParam, 2>(noise.data(), extents));
  Set{.ball = ball, .clean = device_clean.read(extents)}.project(this->device(),
                                                                 device_noise.view(extents));

  expect_same_bytes<TypeParam>(device_noise.numbers(), noise);
}

TEST_F(SignStepOnDevice, TakesAtMostSixteenRadii) {
  const std::vector<double> radii(17, 0.1);
  DeviceArray<float> noise(17);
  DeviceArray<float> clean(17);
  const BallAndBoxSet<float, LinfBall<PerChannel>> set{
      .ball = {.radius = {.radii = radii, .plane = 1}}, .clean = clean.read<2>({1, 17})};
  EXPECT_THROW(set.project(device(), noise.view<2>({1, 17})), InvalidArgument);
}

TEST_F(SignStepOnDevice, ChecksShapesAsOnTheHost) {
  DeviceArray<std::uint8_t> clean(12);
  DeviceArray<std::int8_t> noise(12);
  const PixelGridSet set{.lattice = {}, .clean = clean.read<2>({3, 4})};
  EXPECT_THROW(set.project(device(), noise.view<2>({4, 3})), InvalidArgument);
}

/// The upper half of a float: what __nv_bfloat16 is, on any system.
class Bfloat16 {
 public:
  Bfloat16() = default;
  UNLEARN_HOST_DEVICE explicit Bfloat16(float number) {
    std::uint32_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    // To nearest, ties to even.
    bits_ = static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
  }
  UNLEARN_HOST_DEVICE explicit operator float() const {
    const std::uint32_t bits = std::uint32_t{bits_} << 16U;
    float number = 0;
    memcpy(&number, &bits, sizeof number);
    return number;
  }

 private:
  std::uint16_t bits_ = 0;
};

template <class Half>
class HalfSignStepOnDevice : public SignStepOnDevice {};
#ifdef __CUDACC__
using HalfTypes = testing::Types<Bfloat16, __half, __nv_bfloat16>;
#else
using HalfTypes = testing::Types<Bfloat16>;
#endif
TYPED_TEST_SUITE(HalfSignStepOnDevice, HalfTypes, );

TYPED_TEST(HalfSignStepOnDevice, StaysWithinTheBall) {
  using Half = TypeParam;
  SplitMix64 rng(6);
  const Extents extents{5, 99};
  const std::size_t count = 495;
  std::vector<Half> noise;
  std::vector<Half> clean;
  std::vector<Half> gradient;
  for (std::size_t i = 0; i < count; ++i) {
    noise.emplace_back(unlearn::testing::random_number<float>(rng, -0.05, 0.05));
    clean.emplace_back(unlearn::testing::random_number<float>(rng, 0, 1));
    gradient.emplace_back(unlearn::testing::random_number<float>(rng, -1, 1));
  }
  DeviceArray<Half> device_noise(noise);
  DeviceArray<Half> device_clean(clean);
  DeviceArray<Half> device_gradient(gradient);
  const double radius = 8.0 / 255;
  const HalfNoise<Half> set{.ball = {.radius = radius}, .clean = device_clean.read(extents)};

  set.sign_step(this->device(), device_noise.view(extents), device_gradient.read(extents),
                -1.0 / 255);

  const float stored = set.stored_radius();
  EXPECT_LE(stored, radius);
  EXPECT_GT(stored, radius * (1 - 0x1p-7));
  const std::vector<Half> stepped = device_noise.numbers();
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = static_cast<float>(clean[i]);
    const auto g = static_cast<float>(gradient[i]);
    const float moved = static_cast<float>(noise[i]) -
                        static_cast<float>(1.0 / 255) * static_cast<float>((g > 0) - (g < 0));
    const float boxed = std::min(std::max(moved, 0 - x), 1 - x);
    const Half expected(std::min(std::max(boxed, -stored), stored));
    EXPECT_EQ(static_cast<float>(stepped[i]), static_cast<float>(expected)) << i;
    EXPECT_LE(std::abs(static_cast<float>(stepped[i])), radius) << i;
  }
}

TEST_F(SignStepOnDevice, AllocatesNothing) {
  DeviceArray<std::uint8_t> clean(4096);
  DeviceArray<std::int8_t> noise(4096);
  DeviceArray<float> gradient(4096);
  const Extents extents{4, 1024};
  const PixelGridSet set{.lattice = {}, .clean = clean.read(extents)};
  set.sign_step(device(), noise.view(extents), gradient.read(extents), -1.0 / 255);
  EXPECT_EQ(allocations_, 0U);
}

class FiniteOnDevice : public unlearn::testing::OnDevice {};

TEST_F(FiniteOnDevice, FindsOneNumberAnywhere) {
  // Fewer than a pack; what packs leave over; more packs than there are pieces.
  for (const std::size_t count : {1UL, 3UL, 5UL, 1000UL, 2'200'003UL}) {
    for (const std::size_t skipped : {0UL, 1UL}) {  // packs can be read, and cannot
      DeviceArray<float> finite(
          std::vector<float>(skipped + count, std::numeric_limits<float>::max()));
      EXPECT_TRUE(device().all_finite(finite.data() + skipped, count));
      for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
        for (const float bad : {infinity_f, -infinity_f, nan_f}) {
          std::vector<float> numbers(skipped + count, std::numeric_limits<float>::max());
          numbers[skipped + at] = bad;
          DeviceArray<float> not_finite(numbers);
          EXPECT_FALSE(device().all_finite(not_finite.data() + skipped, count))
              << bad << " at " << at << " of " << count << " behind " << skipped;
        }
      }
    }
  }
  DeviceArray<float> before(std::vector<float>{infinity_f, 1, 1, 1, 1, infinity_f});
  EXPECT_TRUE(device().all_finite(before.data() + 1, 4)) << "what is not asked about";
  EXPECT_TRUE(device().all_finite(static_cast<const double*>(nullptr), 0));
}

TEST_F(FiniteOnDevice, AllocatesNothingTheSecondTime) {
  DeviceArray<double> numbers(1000);
  EXPECT_EQ(allocations_of_second([&] { EXPECT_TRUE(device().all_finite(numbers.data(), 1000)); }),
            0U);
}

/// f(δ) = Σ c_i δ_i in whole numbers: the gradient is c, and the value is exact in any order.
template <class DeviceT>
struct Linear {
  DeviceT device;
  DeviceArray<float>* slopes;
  std::size_t count;

  template <class X>
  double operator()(View<const X, 2> noise, View<float, 2> grad) const {
    device.copy(slopes->data(), count, grad.data());
    std::vector<X> delta(count);
    device.copy_out(noise.data(), count, delta.data());
    const std::vector<float> c = slopes->numbers();
    double value = 0;
    for (std::size_t i = 0; i < count; ++i) value += static_cast<double>(c[i]) * delta[i];
    return value;
  }
};

TEST_F(SignStepOnDevice, DescendsAsOnTheHost) {
  SplitMix64 rng(7);
  const Extents extents{3, 50};
  auto noise = random_bytes<std::int8_t>(rng, 150);
  const auto clean = random_bytes<std::uint8_t>(rng, 150);
  std::vector<float> slopes;
  for (std::size_t i = 0; i < 150; ++i) slopes.push_back(static_cast<float>(rng() % 7) - 3);
  DeviceArray<std::int8_t> device_noise(noise);
  DeviceArray<std::uint8_t> device_clean(clean);
  DeviceArray<float> device_slopes(slopes);
  const unlearn::ProjectedSignDescent descent{.step = 1.0 / 255, .steps = 8};
  const auto on_host = [&](View<const std::int8_t, 2> delta, View<float, 2> grad) {
    double value = 0;
    for (std::size_t i = 0; i < 150; ++i) {
      grad.flat()[i] = slopes[i];
      value += static_cast<double>(slopes[i]) * delta.flat()[i];
    }
    return value;
  };

  const auto expected = descent.optimize(
      on_host, View<std::int8_t, 2>(noise.data(), extents),
      PixelGridSet{.lattice = {}, .clean = {clean.data(), extents}}, unlearn::sequential);
  const auto result =
      descent.optimize(Linear{.device = device(), .slopes = &device_slopes, .count = 150},
                       device_noise.view(extents),
                       PixelGridSet{.lattice = {}, .clean = device_clean.read(extents)}, device());

  EXPECT_EQ(device_noise.numbers(), noise);
  EXPECT_EQ(result.value, expected.value);
  EXPECT_EQ(result.steps, expected.steps);
  EXPECT_EQ(result.stop, expected.stop);
}

TEST_F(SignStepOnDevice, DescentStopsAtAGradientThatIsNotFinite) {
  std::vector<float> slopes(10, 1);
  slopes[7] = infinity_f;
  DeviceArray<float> device_slopes(slopes);
  DeviceArray<std::int8_t> noise(10);
  DeviceArray<std::uint8_t> clean(std::vector<std::uint8_t>(10, 100));
  const auto result = unlearn::ProjectedSignDescent{}.optimize(
      [&](View<const std::int8_t, 2>, View<float, 2> grad) {
        device().copy(device_slopes.data(), 10, grad.data());
        return 1.0;
      },
      noise.view<2>({1, 10}), PixelGridSet{.lattice = {}, .clean = clean.read<2>({1, 10})},
      device());
  EXPECT_EQ(result.stop, unlearn::StopReason::not_finite);
  EXPECT_EQ(noise.numbers(), std::vector<std::int8_t>(10, 0));
}

TEST_F(SignStepOnDevice, DescentWithoutStepsIsNotStoppedByOldMemory) {
  const std::array<std::size_t, 2> extents{2, 8};
  DeviceArray<std::uint8_t> clean(std::vector<std::uint8_t>(16, 100));
  DeviceArray<std::int8_t> noise(16);
  {
    // What a gradient would be borrowed from: all bits set is NaN.
    const auto old = unlearn::scratch<unsigned char>(device(), 1U << 16U);
    const std::vector<unsigned char> bits(1U << 16U, 0xFF);
    device().copy_in(bits.data(), bits.size(), old.data());
  }
  struct ValueAlone {
    double operator()(View<const std::int8_t, 2>, View<float, 2>) { return 1; }
    double operator()(View<const std::int8_t, 2>) { return 2; }
  };
  const auto result = unlearn::ProjectedSignDescent{.steps = 0}.optimize(
      ValueAlone{}, noise.view(extents), PixelGridSet{.lattice = {}, .clean = clean.read(extents)},
      device());
  EXPECT_EQ(result.stop, unlearn::StopReason::step_limit);
  EXPECT_EQ(result.value, 2);
}

}  // namespace
