// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {

/// A radius for each channel of a sample: element i is in channel (i / plane) mod channels.
///
/// A [C, H, W] image has plane = H·W, an [H, W, C] image plane = 1.
struct PerChannel {
  std::span<const double> radii;  ///< [channels]; not copied, must outlive the ball
  std::size_t plane;              ///< consecutive elements of one channel
};

/// How an LinfBall says its radius: one number, or one for each channel.
template <class R>
concept LinfRadius = std::same_as<R, double> || std::same_as<R, PerChannel>;

/// {δ : |δ_i| ≤ ε for all i}, with ε one number or one number a channel; an ElementwiseBall.
///
/// ε is in the signal's own units: 8.0 / 255 for images in [0, 1], infinity for no bound.
/// The nearest point is δ_i ← min(max(δ_i, −ε), ε).
/// Source: the bound ‖δ‖∞ ≤ ε of MEM (Liu et al., ACM MM 2024), Eq. 5.
template <LinfRadius Radius = double>
struct LinfBall {
  Radius radius;  ///< ε

  /// Whether all elements have the same radius.
  static constexpr bool uniform = std::same_as<Radius, double>;

  /// ε for element i of a sample.
  [[nodiscard]] double radius_at(std::size_t i) const {
    if constexpr (uniform) {
      return radius;
    } else {
      return radius.radii[i / radius.plane % radius.radii.size()];
    }
  }

  /// @throws InvalidArgument as validate() does.
  template <std::floating_point T>
  void project(std::span<T> sample) const {
    validate(sample.size());
    for (std::size_t i = 0; i < sample.size(); ++i) {
      sample[i] = clamp_to_radius(sample[i], static_cast<T>(radius_at(i)));
    }
  }

  /// @throws InvalidArgument when a radius is negative or NaN, or when `elements` is not a whole
  /// number of times all channels' planes.
  void validate(std::size_t elements) const {
    if constexpr (uniform) {
      require_radius(radius);
    } else {
      const std::size_t period = radius.plane * radius.radii.size();
      require(period > 0, "planes of a per-channel radius", "at least one element", period);
      require(elements % period == 0, "elements of a sample under a per-channel radius",
              "a multiple of " + detail::in_words(period), elements);
      for (const double channel_radius : radius.radii) require_radius(channel_radius);
    }
  }
};

/// Any number will do for a radius: LinfBall{.radius = 8} is an LinfBall<double>.
template <class R>
LinfBall(R) -> LinfBall<std::conditional_t<std::is_arithmetic_v<R>, double, R>>;

static_assert(std::is_trivially_copyable_v<LinfBall<>>);
static_assert(std::is_trivially_copyable_v<LinfBall<PerChannel>>);
static_assert(ElementwiseBall<LinfBall<>, float>);
static_assert(ElementwiseBall<LinfBall<PerChannel>, float>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
