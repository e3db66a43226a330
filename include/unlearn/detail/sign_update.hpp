// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

// The parts of one noise update, free of branches: loops over them become vector instructions.

/// sign(x): −1, 0 or 1; 0 for NaN.
template <class Sign, std::floating_point T>
[[nodiscard]] constexpr Sign sign(T x) {
  return static_cast<Sign>(static_cast<Sign>(x > 0) - static_cast<Sign>(x < 0));
}

/// min(max(x, low), high)
template <class T>
[[nodiscard]] constexpr T clamp_to(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return high < raised ? high : raised;
}

/// min(max(x, 0 − radius), radius). Not −radius, which is −0 when the radius is 0.
template <class T>
[[nodiscard]] constexpr T clamp_to_radius(T x, T radius) {
  return clamp_to(x, static_cast<T>(T{0} - radius), radius);
}

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

inline void require_radius(double radius) {
  require(radius >= 0, "radius of a ball", "a number that is not negative", radius);
}

inline void require_step(double step) {
  require(is_finite(step), "step of the noise", "a finite number", step);
}

/// @throws InvalidArgument unless both views have the same rows and columns.
template <class T, class U>
void require_same_shape(std::string_view thing, View<T, 2> expected, View<U, 2> got) {
  require_size("rows of the " + std::string(thing), expected.extent(0), got.extent(0));
  require_size("columns of the " + std::string(thing), expected.extent(1), got.extent(1));
}

/// Elements in a block of work: at least some tens of microseconds, far longer than a thread takes
/// to start.
inline constexpr std::size_t update_grain = std::size_t{1} << 16U;

}  // namespace unlearn::detail
