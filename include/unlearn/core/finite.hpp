// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace unlearn {

/// True when every number of the range is neither NaN nor infinite.
///
/// Looks at the bits, so that it also holds in programs compiled with -ffast-math, where the
/// compiler takes comparisons with NaN and infinity for settled.
template <std::floating_point T>
[[nodiscard]] bool all_finite(std::span<const T> numbers) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  static_assert(sizeof(T) == sizeof(Bits), "unlearn computes in float and double");
  // The exponent is all ones in infinity and NaN, and in nothing else.
  constexpr Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits found = 0;
  for (const T& number : numbers) {
    found |= static_cast<Bits>((std::bit_cast<Bits>(number) & infinity) == infinity);
  }
  return found == 0;
}

template <std::floating_point T>
[[nodiscard]] bool is_finite(T number) {
  return all_finite(std::span<const T>(&number, 1));
}

}  // namespace unlearn
