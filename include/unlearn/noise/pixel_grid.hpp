// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cmath>
#include <concepts>
#include <string_view>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/noise/linf_ball.hpp"

namespace unlearn {

/// Noise on the grid of 8-bit pixels: whole levels of 1/255 in [−radius, radius].
///
/// With a step and a radius of whole levels, δ never leaves this grid, so int8 holds it without
/// loss, and what is optimised is what an 8-bit image stores.
struct PixelGrid {
  int step = 1;    ///< levels a sign step moves
  int radius = 8;  ///< levels; at most 127, so that −128 does not occur

  static constexpr int levels = 255;      ///< from black to white
  static constexpr int max_radius = 127;  ///< what int8 holds on either side of 0

  /// The grid of a step and a radius in the signal's units, such as 1.0 / 255 and 8.0 / 255.
  /// @throws InvalidArgument unless both are whole levels and the result is valid.
  [[nodiscard]] static PixelGrid from(double step, double radius) {
    const PixelGrid grid{.step = to_levels("step on the pixel lattice", step),
                         .radius = to_levels("radius on the pixel lattice", radius)};
    grid.validate();
    return grid;
  }

  /// The grid of a step and a ball in the signal's units. The ball must be an LinfBall of one
  /// radius: others do not compile.
  /// @throws InvalidArgument unless both are whole levels and the result is valid.
  template <class BallT>
    requires(!std::is_arithmetic_v<BallT>)
  [[nodiscard]] static PixelGrid from(double step, const BallT& ball) {
    static_assert(std::same_as<BallT, LinfBall<double>>,
                  "the pixel lattice needs an LinfBall with one radius for all channels");
    return from(step, ball.radius);
  }

  /// `amount`, in the signal's units, as a number of levels.
  /// @throws InvalidArgument unless it is a whole number of levels, to 10^-4 levels, and at most
  ///         10^6 of them.
  [[nodiscard]] static int to_levels(std::string_view thing, double amount) {
    const double exact = amount * levels;
    const double whole = std::round(exact);
    require(is_finite(amount) && std::abs(exact - whole) <= 1e-4 && std::abs(whole) <= 1e6, thing,
            "a whole number of levels of 1/255", exact);
    return static_cast<int>(whole);
  }

  /// @throws InvalidArgument when the step is negative or the radius outside 0..127.
  void validate() const {
    require(step >= 0, "step on the pixel lattice", "at least 0 levels", step);
    require(radius >= 0 && radius <= max_radius, "radius on the pixel lattice", "0 to 127 levels",
            radius);
  }
};

static_assert(std::is_trivially_copyable_v<PixelGrid>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
