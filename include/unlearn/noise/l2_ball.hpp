// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>

#include "unlearn/core/finite.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {
namespace detail {

/// Combines map(x) over all x, starting from 0, in double and in a fixed order.
template <class T, class Map, class Combine>
[[nodiscard]] double reduce(std::span<const T> elements, Map map, Combine combine) {
  // Eight results side by side fill a vector register, which one long chain would not.
  std::array<double, 8> lanes{};
  const std::size_t tail = elements.size() % lanes.size();
  for (std::size_t i = 0; i < elements.size() - tail; i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane] = combine(lanes[lane], map(double{elements[i + lane]}));
    }
  }
  double result = 0;
  for (const T x : elements.last(tail)) result = combine(result, map(double{x}));
  for (const double lane : lanes) result = combine(result, lane);
  return result;
}

}  // namespace detail

/// {δ : ‖δ‖₂ ≤ r} for each sample by itself.
///
/// The nearest point is δ ← δ · min(1, r / ‖δ‖₂), to within the rounding of T. The radius is in
/// the signal's own units, over all numbers of a sample; infinity means no bound.
struct L2Ball {
  double radius;  ///< r

  /// @throws InvalidArgument as validate() does.
  template <std::floating_point T>
  void project(std::span<T> sample) const {
    validate(sample.size());
    const std::span<const T> noise = sample;
    const auto magnitude = [](double x) { return std::abs(x); };
    const auto larger = [](double a, double b) { return a < b ? b : a; };
    const double largest = detail::reduce(noise, magnitude, larger);

    // ‖δ‖₂ = largest · root, kept apart: the squares of large doubles would overflow.
    const auto square = [largest](double x) { return (x / largest) * (x / largest); };
    const double root = std::sqrt(detail::reduce(noise, square, std::plus<>{}));
    const double scale = radius / largest / root;
    // Of zeros, NaN or infinities the scale is not finite, and they stay as they are.
    if (!is_finite(scale) || scale >= 1) return;
    for (T& number : sample) number = static_cast<T>(number * scale);
  }

  /// @throws InvalidArgument when the radius is negative or NaN.
  void validate(std::size_t /*elements*/) const { require_radius(radius); }
};

static_assert(std::is_trivially_copyable_v<L2Ball>);
static_assert(Ball<L2Ball, float>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
