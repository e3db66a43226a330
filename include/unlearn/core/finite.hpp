// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace unlearn {

/// Whether no number of the range is NaN or infinite. True for an empty range.
///
/// This reads the bits. So it also works in programs compiled with -ffast-math, where the compiler
/// assumes that there is no NaN and no infinity.
template <std::floating_point T>
[[nodiscard]] bool all_finite(std::span<const T> numbers) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  static_assert(sizeof(T) == sizeof(Bits), "unlearn computes in float and double");
  // Only infinity and NaN have an exponent of all ones.
  constexpr Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits found = 0;
  for (const T& number : numbers) {
    found |= static_cast<Bits>((std::bit_cast<Bits>(number) & infinity) == infinity);
  }
  return found == 0;
}

/// Whether a number is neither NaN nor infinite; also with -ffast-math.
template <std::floating_point T>
[[nodiscard]] bool is_finite(T number) {
  return all_finite(std::span<const T>(&number, 1));
}

}  // namespace unlearn
