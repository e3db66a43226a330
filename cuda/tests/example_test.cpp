// SPDX-License-Identifier: Apache-2.0
// The example of docs/cuda.md.
#include <gtest/gtest.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "device/towers_on_device.hpp"
#include "mem/two_tower.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/unlearn.hpp"

namespace {

template <class T>
T* raw(thrust::device_vector<T>& numbers) {
  return thrust::raw_pointer_cast(numbers.data());
}

TEST(Example, StepsNoiseOnADevice) {
  // [step]
  thrust::device_vector<std::uint8_t> images(2 * 3072, 100);
  thrust::device_vector<std::int8_t> noise(2 * 3072, 0);
  thrust::device_vector<float> gradient(2 * 3072, 1);

  unlearn::cuda::Context context;  // scratch memory and cuBLAS, for one stream
  const auto device = unlearn::cuda::on(thrust::device, context);

  const unlearn::PixelGridSet feasible{.lattice = {.step = 1, .radius = 8},
                                       .clean = {raw(images), {2, 3072}}};
  feasible.sign_step(device, unlearn::View<std::int8_t, 2>(raw(noise), {2, 3072}),
                     unlearn::View<const float, 2>(raw(gradient), {2, 3072}), -1.0 / 255);
  // [/step]
  EXPECT_EQ(static_cast<int>(noise[0]), -1);
  EXPECT_EQ(static_cast<int>(noise[2 * 3072 - 1]), -1);
}

TEST(Example, KeepsARunsDataOnTheDevice) {
  unlearn::testing::TwoTowerPairs<std::uint8_t> pairs;
  const std::vector<unlearn::Token> words{5, 6};
  const auto mem = unlearn::testing::small_mem();
  std::mt19937_64 rng(1);
  unlearn::cuda::Context context;
  const auto device = unlearn::cuda::on(thrust::device, context);
  unlearn::testing::TowersOnDevice model(device, unlearn::testing::TwoTowers(pairs.elements()));
  // [run]
  auto start = unlearn::fresh_state(pairs, words);  // as for a run on the host

  unlearn::DevicePairSource device_pairs(device, pairs);
  unlearn::RunState state{.noise = unlearn::DeviceNoiseStore(device, start.noise),
                          .triggers = start.triggers,
                          .scope = start.scope};
  const auto result = mem.minimize(device, model, device_pairs, state, rng);
  // Now start.noise has the noise, and state.triggers the triggers.
  // [/run]
  EXPECT_EQ(result.stop, unlearn::StopReason::round_limit);
  EXPECT_TRUE(device_pairs.resident());
  const auto noise = start.noise.view().flat();
  EXPECT_TRUE(std::any_of(noise.begin(), noise.end(), [](std::int8_t n) { return n != 0; }));
}

}  // namespace
