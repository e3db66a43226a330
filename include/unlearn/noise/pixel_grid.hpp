// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/sign_update.hpp"

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

  /// The lattice of a step and a radius in the signal's units, such as 1.0 / 255 and 8.0 / 255.
  /// @throws InvalidArgument unless both are whole levels and the result is valid.
  [[nodiscard]] static PixelGrid from(double step, double radius) {
    const PixelGrid lattice{.step = to_levels("step on the pixel lattice", step),
                            .radius = to_levels("radius on the pixel lattice", radius)};
    lattice.validate();
    return lattice;
  }

  /// The lattice of a step and a ball in the signal's units. Only an LinfBall of one radius has
  /// one: other balls do not compile.
  /// @throws InvalidArgument as above.
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
    require(std::abs(exact - whole) <= 1e-4 && std::abs(whole) <= 1e6, thing,
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

/// The noise that 8-bit signals x may carry: {δ ∈ ℤ : |δ| ≤ radius and 0 ≤ x + δ ≤ 255}.
///
/// Steps and projections have exactly the result of BallAndBoxSet with an LinfBall, in levels with
/// the box [0, 255]; and in [0, 1] after rounding 255 δ.
struct PixelGridSet {
  PixelGrid lattice;                  ///< bounds the noise
  View<const std::uint8_t, 2> clean;  ///< [rows, elements], one sample a row

  /// δ ← the feasible noise nearest to δ, in place.
  /// @throws InvalidArgument when the shape is not that of `clean`, or the lattice is invalid.
  template <ExecutionPolicy P>
  void project(const P& policy, View<std::int8_t, 2> noise) const {
    validate(noise);
    if constexpr (DevicePolicy<P>) {
      project_on(policy, *this, noise);
    } else {
      run(policy, noise.flat(), [](std::int8_t delta, std::size_t) { return std::int16_t{delta}; });
    }
  }

  /// δ ← the feasible noise nearest to δ + signed_step · sign(grad), in place; sign(0) is 0.
  ///
  /// @param policy      the result is the same for each
  /// @param noise       [rows, elements]
  /// @param grad        [rows, elements]; only the signs count
  /// @param signed_step in the signal's units: −1.0 / 255 descends by one level
  /// @throws InvalidArgument as project() does, and when `grad` has another shape or the step is
  ///         not a whole number of levels.
  template <ExecutionPolicy P>
  void sign_step(const P& policy, View<std::int8_t, 2> noise, View<const float, 2> grad,
                 double signed_step) const {
    validate(noise);
    require_same_shape("gradient", clean, grad);
    // 255 levels reach either end of the lattice from anywhere: a longer step does the same.
    const auto step = static_cast<std::int16_t>(
        std::clamp(PixelGrid::to_levels("step on the pixel lattice", signed_step), -255, 255));
    if constexpr (DevicePolicy<P>) {
      sign_step_on(policy, *this, noise, grad, step);
    } else {
      run(policy, noise.flat(), [step, gradient = grad.flat()](std::int8_t delta, std::size_t i) {
        return static_cast<std::int16_t>(delta + step * sign<std::int16_t>(gradient[i]));
      });
    }
  }

 private:
  void validate(View<std::int8_t, 2> noise) const {
    require_same_shape("noise", clean, noise);
    lattice.validate();
  }

  /// δ_i ← move(δ_i, i), made feasible; i counts through all rows.
  template <class Move>
  void run(const Sequential& /*policy*/, std::span<std::int8_t> noise, Move move) const {
    const std::span<const std::uint8_t> pixels = clean.flat();
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const int lowest = std::max(-lattice.radius, -int{pixels[i]});
      const int highest = std::min(lattice.radius, PixelGrid::levels - pixels[i]);
      noise[i] = static_cast<std::int8_t>(std::clamp(int{move(noise[i], i)}, lowest, highest));
    }
  }

  template <class Move>
  void run(const Parallel& policy, std::span<std::int8_t> noise, Move move) const {
    for_each_piece(
        policy, noise.size(), update_grain,
        [this, noise, move](std::size_t begin, std::size_t end) {
          update_piece(noise.subspan(begin, end - begin), clean.flat().subspan(begin, end - begin),
                       static_cast<std::int16_t>(lattice.radius),
                       [=](std::int8_t delta, std::size_t i) { return move(delta, begin + i); });
        });
  }

  /// All arguments are copies: a write to an int8 might change anything that is referred to, and
  /// the loop would not become vector instructions. Nor would it be as fast in int; 16 bits hold
  /// every intermediate, from −128 − 255 to 127 + 255.
  template <class Move>
  static void update_piece(std::span<std::int8_t> noise, std::span<const std::uint8_t> pixels,
                           std::int16_t radius, Move move) {
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const auto lowest = static_cast<std::int16_t>(-pixels[i]);
      const auto highest = static_cast<std::int16_t>(PixelGrid::levels - pixels[i]);
      const auto boxed = clamp_to(move(noise[i], i), lowest, highest);
      noise[i] = static_cast<std::int8_t>(clamp_to_radius(boxed, radius));
    }
  }
};

static_assert(std::is_trivially_copyable_v<PixelGrid>);
static_assert(std::is_trivially_copyable_v<PixelGridSet>);

}  // namespace unlearn
