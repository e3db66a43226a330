// SPDX-License-Identifier: Apache-2.0
// The example of docs/cuda.md.
#include <gtest/gtest.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>

#include <cstdint>

#include "unlearn/cuda/cuda.cuh"
#include "unlearn/unlearn.hpp"

namespace {

template <class T>
T* raw(thrust::device_vector<T>& numbers) {
  return thrust::raw_pointer_cast(numbers.data());
}

TEST(Example, StepsNoiseOnADevice) {
  // [step]
  thrust::device_vector<std::uint8_t> pictures(2 * 3072, 100);
  thrust::device_vector<std::int8_t> noise(2 * 3072, 0);
  thrust::device_vector<float> gradient(2 * 3072, 1);

  unlearn::cuda::Context context;  // scratch memory and cuBLAS, for one stream
  const auto device = unlearn::cuda::on(thrust::device, context);

  const unlearn::LatticeNoise feasible{.lattice = {.step = 1, .radius = 8},
                                       .clean = {raw(pictures), {2, 3072}}};
  feasible.sign_step(device, unlearn::View<std::int8_t, 2>(raw(noise), {2, 3072}),
                     unlearn::View<const float, 2>(raw(gradient), {2, 3072}), -1.0 / 255);
  // [/step]
  EXPECT_EQ(static_cast<int>(noise[0]), -1);
  EXPECT_EQ(static_cast<int>(noise[2 * 3072 - 1]), -1);
}

}  // namespace
