// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "closed_backend.hpp"
#include "unlearn/core/tensor_view.hpp"

/// @file
/// The backend that the tests of tests/device run on, here: the archetype. cuda/tests has another
/// header of this name, with CUDA's backend.

namespace unlearn::testing {

/// Numbers in the device's memory.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : DeviceArray(std::vector<T>(count)) {}
  explicit DeviceArray(const std::vector<T>& numbers)
      : numbers_(numbers.size()), count_(numbers.size()) {
    const OpenMemory open;
    std::ranges::copy(numbers, data());
  }

  [[nodiscard]] T* data() { return numbers_.data(); }
  template <std::size_t Rank>
  [[nodiscard]] View<T, Rank> view(const std::array<std::size_t, Rank>& extents) {
    return {data(), extents};
  }
  template <std::size_t Rank>
  [[nodiscard]] View<const T, Rank> read(const std::array<std::size_t, Rank>& extents) {
    return {data(), extents};
  }
  /// A copy on the host.
  [[nodiscard]] std::vector<T> numbers() const {
    const OpenMemory open;
    return {numbers_.data(), numbers_.data() + count_};
  }

 private:
  ClosedArray<T> numbers_;
  std::size_t count_;
};

/// A backend whose lasting allocations are counted.
class OnDevice : public ::testing::Test {
 protected:
  [[nodiscard]] ClosedBackend device() { return {.allocations = &allocations_}; }

  std::size_t allocations_ = 0;
};

}  // namespace unlearn::testing
