// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/detail/draws.hpp"
#include "unlearn/noise/detail/scaled_row.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {

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
    const double largest = detail::largest_magnitude(noise);

    // ‖δ‖₂ = largest · root, kept apart: the squares of large doubles would overflow.
    const auto square = [largest](double x) { return (x / largest) * (x / largest); };
    const double root = std::sqrt(detail::reduce(noise, square, std::plus<>{}));
    const double scale = radius / largest / root;
    // Of zeros, NaN or infinities the scale is not finite, and they stay as they are.
    if (!is_finite(scale) || scale >= 1) return;
    for (T& number : sample) number = static_cast<T>(number * scale);
  }

  /// δ ← a uniformly distributed point of the ball: r · u^(1/D) · z / ‖z‖₂ with u uniform in
  /// (0, 1) and z normal, for D numbers.
  /// @throws InvalidArgument as validate() does, and when the radius is infinite.
  template <std::floating_point T, std::uniform_random_bit_generator Rng>
  void draw(std::span<T> sample, Rng& rng) const {
    validate(sample.size());
    require(is_finite(radius), "radius of a ball to draw a start from", "a finite number", radius);
    detail::draw_normal(sample, rng);
    const double length =
        radius * std::pow(detail::draw_unit(rng), 1 / static_cast<double>(sample.size()));
    const auto unit = detail::two_norm_scale(std::span<const T>(sample));
    for (T& number : sample) number = static_cast<T>(length * unit(number));
    project(sample);
  }

  /// @throws InvalidArgument when the radius is negative or NaN.
  void validate(std::size_t /*elements*/) const { require_radius(radius); }
};

static_assert(std::is_trivially_copyable_v<L2Ball>);
static_assert(Ball<L2Ball, float>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
