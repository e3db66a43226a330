// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <type_traits>

#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/noise/pixel_grid.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {

/// The noise that 8-bit signals x may carry: {δ ∈ ℤ : |δ| ≤ radius and 0 ≤ x + δ ≤ 255}.
///
/// Steps and projections have exactly the result of BallAndBoxSet with an LinfBall, in levels with
/// the box [0, 255]; and in [0, 1] after rounding 255 δ.
struct PixelGridSet {
  PixelGrid lattice;                  ///< bounds the noise
  View<const std::uint8_t, 2> clean;  ///< [rows, elements], one sample a row

  /// What one number of the noise is stored as.
  using value_type = std::int8_t;

  /// δ ← the feasible noise nearest to δ, in place.
  /// @param policy the result is the same for each
  /// @param noise  [rows, elements]
  /// @throws InvalidArgument when the shape is not that of `clean`, or the grid is invalid.
  template <HostPolicy P>
  void project(const P& policy, View<std::int8_t, 2> noise) const {
    validate(noise);
    run(policy, noise.flat(), [](std::int8_t delta, std::size_t) { return std::int16_t{delta}; });
  }
  /// The same by a NoiseBackend, in its memory.
  template <BackendPolicy B>
  void project(const B& backend, View<std::int8_t, 2> noise) const {
    validate(noise);
    detail::noise_backend<PixelGridSet>(backend).project(*this, noise);
  }

  /// δ ← a uniformly distributed feasible noise.
  /// @param noise [rows, elements], in the host's memory; what it was does not matter
  /// @param rng   drawn from in the order of the numbers
  /// @throws InvalidArgument as project() does
  template <std::uniform_random_bit_generator Rng>
  void draw(View<std::int8_t, 2> noise, Rng& rng) const {
    validate(noise);
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const int pixel = clean.flat()[i];
      const int lowest = std::max(-lattice.radius, -pixel);
      const int highest = std::min(lattice.radius, PixelGrid::levels - pixel);
      const std::size_t above = uniform_below(static_cast<std::size_t>(highest - lowest) + 1, rng);
      noise.flat()[i] = static_cast<std::int8_t>(lowest + static_cast<int>(above));
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
  template <HostPolicy P>
  void sign_step(const P& policy, View<std::int8_t, 2> noise, View<const float, 2> grad,
                 double signed_step) const {
    const std::int16_t step = validated_step(noise, grad, signed_step);
    run(policy, noise.flat(), [step, gradient = grad.flat()](std::int8_t delta, std::size_t i) {
      return static_cast<std::int16_t>(delta + step * sign<std::int16_t>(gradient[i]));
    });
  }
  /// The same by a NoiseBackend, in its memory.
  template <BackendPolicy B>
  void sign_step(const B& backend, View<std::int8_t, 2> noise, View<const float, 2> grad,
                 double signed_step) const {
    const int step = validated_step(noise, grad, signed_step);
    detail::noise_backend<PixelGridSet>(backend).sign_step(*this, noise, grad, step);
  }

 private:
  void validate(View<std::int8_t, 2> noise) const {
    require_same_shape("noise", clean, noise);
    lattice.validate();
  }
  /// @returns the step in levels
  [[nodiscard]] std::int16_t validated_step(View<std::int8_t, 2> noise, View<const float, 2> grad,
                                            double signed_step) const {
    validate(noise);
    require_same_shape("gradient", clean, grad);
    // 255 levels reach either end of the grid from anywhere: a longer step does the same.
    return static_cast<std::int16_t>(
        std::clamp(PixelGrid::to_levels("step on the pixel lattice", signed_step), -255, 255));
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

  template <ThreadedPolicy P, class Move>
  void run(const P& policy, std::span<std::int8_t> noise, Move move) const {
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

static_assert(std::is_trivially_copyable_v<PixelGridSet>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
