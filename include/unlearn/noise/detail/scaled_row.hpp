// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>

#include "unlearn/core/finite.hpp"

namespace unlearn::detail {

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

/// max |x|; 0 for no numbers.
template <class T>
[[nodiscard]] double largest_magnitude(std::span<const T> elements) {
  const auto magnitude = [](double x) { return std::abs(x); };
  const auto larger = [](double a, double b) { return a < b ? b : a; };
  return reduce(elements, magnitude, larger);
}

/// The factors a and b for which x · a · b is x / ‖x‖: a brings the largest number to ±1, so that
/// no sum overflows. Both are 0 where x is 0, or so small that its reciprocal is infinite.
struct UnitScale {
  double to_one = 0;   ///< a
  double to_unit = 0;  ///< b

  [[nodiscard]] double operator()(double x) const { return x * to_one * to_unit; }
};

/// @param row     finite numbers
/// @param measure what a scaled number contributes to the norm: |x| or x²
/// @param root    the norm, of the sum of these
template <class T, class Measure, class Root>
[[nodiscard]] UnitScale unit_scale(std::span<const T> row, Measure measure, Root root) {
  const double to_one = 1 / largest_magnitude(row);
  if (!is_finite(to_one)) return {};
  const auto scaled = [=](double x) { return measure(x * to_one); };
  return {.to_one = to_one, .to_unit = 1 / root(reduce(row, scaled, std::plus<>{}))};
}

/// x / ‖x‖₂
template <class T>
[[nodiscard]] UnitScale two_norm_scale(std::span<const T> row) {
  return unit_scale(row, [](double x) { return x * x; }, [](double sum) { return std::sqrt(sum); });
}

/// x / ‖x‖₁
template <class T>
[[nodiscard]] UnitScale one_norm_scale(std::span<const T> row) {
  return unit_scale(row, [](double x) { return std::abs(x); }, [](double sum) { return sum; });
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
