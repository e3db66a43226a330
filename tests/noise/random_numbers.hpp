// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "unlearn/core/random.hpp"

namespace unlearn::testing {

/// Numbers that are uniformly distributed in [low, high).
template <class T>
T random_number(SplitMix64& rng, double low, double high) {
  const double unit = static_cast<double>(rng() >> 11U) * 0x1p-53;
  return static_cast<T>(low + (high - low) * unit);
}

template <class T>
std::vector<T> random_numbers(SplitMix64& rng, std::size_t count, double low, double high) {
  std::vector<T> numbers(count);
  for (T& number : numbers) number = random_number<T>(rng, low, high);
  return numbers;
}

/// A gradient: about one number in eight is 0, the others are positive or negative.
template <class T>
std::vector<T> random_gradient(SplitMix64& rng, std::size_t count) {
  std::vector<T> gradient = random_numbers<T>(rng, count, -1, 1);
  for (T& number : gradient) {
    if (rng() % 8 == 0) number = 0;
  }
  return gradient;
}

template <class T>
bool same_bytes(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

}  // namespace unlearn::testing
