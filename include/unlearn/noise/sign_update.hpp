// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn {

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

/// @throws InvalidArgument when the radius of a ball is negative or NaN.
inline void require_radius(double radius) {
  require(is_at_least(radius, 0), "radius of a ball", "a number that is not negative", radius);
}

/// @throws InvalidArgument when a step is NaN or infinite.
inline void require_step(double step) {
  require(is_finite(step), "step of the noise", "a finite number", step);
}

/// Elements in a block of work: at least some tens of microseconds, far longer than a thread takes
/// to start.
inline constexpr std::size_t update_grain = std::size_t{1} << 16U;

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
