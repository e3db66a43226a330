// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

/// @file
/// Checks for NaN and infinity that also hold in programs compiled with -ffast-math, where the
/// compiler assumes that there is neither and removes what asks for them. All such checks of the
/// library are here.

namespace unlearn {
namespace detail {

/// An unsigned integer with as many bits as T.
template <std::floating_point T>
using BitsOf = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;

/// The bits of +∞: an exponent of all ones, and nothing else. Only infinity and NaN have it.
template <std::floating_point T>
inline constexpr BitsOf<T> infinity_bits =
    ((BitsOf<T>{1} << (8 * sizeof(T) - std::numeric_limits<T>::digits)) - 1)
    << (std::numeric_limits<T>::digits - 1);
static_assert(infinity_bits<float> == 0x7F80'0000U);
static_assert(infinity_bits<double> == 0x7FF0'0000'0000'0000U);

/// Returns the bits, and hides from the optimizer where they came from.
template <std::unsigned_integral Bits>
[[nodiscard]] inline Bits hidden(Bits bits) {
#if defined(__GNUC__) && !defined(__CUDA_ARCH__)
  asm("" : "+r"(bits));
#endif
  return bits;
}

/// Makes the optimizer forget what it knows about the memory behind a pointer.
inline void hide_from_optimizer([[maybe_unused]] const void* memory) {
#if defined(__GNUC__) && !defined(__CUDA_ARCH__)
  asm volatile("" : : "r"(memory) : "memory");
#endif
}

}  // namespace detail

/// Whether no number of the range is NaN or infinite. True for an empty range.
template <std::floating_point T>
[[nodiscard]] bool all_finite(std::span<const T> numbers) {
  using Bits = detail::BitsOf<T>;
  static_assert(sizeof(T) == sizeof(Bits), "unlearn computes in float and double");
  constexpr Bits infinity = detail::infinity_bits<T>;
  // Else the compiler may take the numbers from where they were computed, which cannot be NaN.
  detail::hide_from_optimizer(numbers.data());
  Bits found = 0;
  for (const T& number : numbers) {
    found |= static_cast<Bits>((std::bit_cast<Bits>(number) & infinity) == infinity);
  }
  return found == 0;
}

/// Whether a number is neither NaN nor infinite.
template <std::floating_point T>
[[nodiscard]] bool is_finite(const T& number) {
  constexpr auto infinity = detail::infinity_bits<T>;
  return (detail::hidden(std::bit_cast<detail::BitsOf<T>>(number)) & infinity) != infinity;
}

/// Whether a number is NaN.
template <std::floating_point T>
[[nodiscard]] bool is_nan(const T& number) {
  constexpr auto sign = detail::BitsOf<T>{1} << (8 * sizeof(T) - 1);
  const auto magnitude = detail::hidden(std::bit_cast<detail::BitsOf<T>>(number)) & ~sign;
  return magnitude > detail::infinity_bits<T>;
}

/// Whether a number is neither NaN nor +∞: whether it can be the lowest of several.
template <std::floating_point T>
[[nodiscard]] bool is_below_infinity(const T& number) {
  constexpr auto sign = detail::BitsOf<T>{1} << (8 * sizeof(T) - 1);
  const auto bits = detail::hidden(std::bit_cast<detail::BitsOf<T>>(number));
  return bits < detail::infinity_bits<T> ||
         (bits >= sign && bits <= (sign | detail::infinity_bits<T>));
}

/// Whether neither number is NaN, and x ≥ bound.
template <std::floating_point T>
[[nodiscard]] bool is_at_least(const T& x, const std::type_identity_t<T>& bound) {
  return !is_nan(x) && !is_nan(bound) && x >= bound;
}

/// +∞, for numbers that must come behind all others.
template <std::floating_point T>
[[nodiscard]] T positive_infinity() {
  return std::bit_cast<T>(detail::hidden(detail::infinity_bits<T>));
}

/// A quiet NaN, the value of what cannot be computed.
template <std::floating_point T>
[[nodiscard]] T not_a_number() {
  constexpr auto quiet = detail::BitsOf<T>{1} << (std::numeric_limits<T>::digits - 2);
  return std::bit_cast<T>(detail::hidden(detail::infinity_bits<T> | quiet));
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
