// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <type_traits>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/detail/draws.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {

/// The noise that clean signals x may carry: {δ : δ_r ∈ ball and x_r + δ_r ∈ box for each row r}.
///
/// The box is applied first and the ball last:
///
///     δ ← Ball(min(max(δ, low − x), high − x))
///
/// Where x is inside the box, both hold afterwards, x + δ to one rounding of T, and exactly in the
/// boxes [0, 1] and [0, 255]. For elementwise balls the result is the nearest feasible point; for
/// others, such as L2Ball, it is feasible but in general not the nearest. Where x itself is
/// outside the box, δ pulls it towards the box as far as the ball allows, whatever the gradient
/// says: check signals once, when you load them, with require_in_box(). A run does so.
///
/// Source: the projection of MEM (Liu et al., ACM MM 2024), Eq. 5.
template <std::floating_point T, class BallT>
  requires Ball<BallT, T> || RowwiseBall<BallT, T>
struct BallAndBoxSet {
  BallT ball;              ///< bounds each row of the noise; a RowwiseBall each by its own radius
  View<const T, 2> clean;  ///< [rows, elements], one sample a row
  Box<T> box{};            ///< bounds the perturbed signals

  /// What one number of the noise is stored as.
  using value_type = T;

  /// δ ← the feasible noise that `noise` leads to, in place.
  /// @param policy the result is the same for each
  /// @param noise  [rows, elements]
  /// @throws InvalidArgument when the shape is not that of `clean`, or the ball or box is invalid.
  template <HostPolicy P>
  void project(const P& policy, View<T, 2> noise) const {
    validate(noise);
    run(policy, noise, [](T delta, std::size_t) { return delta; });
  }
  /// The same by a NoiseBackend, in its memory.
  template <BackendPolicy B>
  void project(const B& backend, View<T, 2> noise) const {
    validate(noise);
    detail::noise_backend<BallAndBoxSet>(backend).project(*this, noise);
  }

  /// δ ← a random start, row by row. In elementwise balls it is uniformly distributed over the
  /// set. In others it is uniformly distributed over the ball, and then moved into the box.
  /// @param noise [rows, elements], in the host's memory; what it was does not matter
  /// @param rng   drawn from in the order of the rows
  /// @throws InvalidArgument as project() does, and when ball and box leave a number unbounded.
  template <std::uniform_random_bit_generator Rng>
  void draw(View<T, 2> noise, Rng& rng) const {
    validate(noise);
    for (std::size_t row = 0; row < noise.extent(0); ++row) draw_row(noise, row, rng);
  }

  /// δ ← the feasible noise that δ + signed_step · sign(grad) leads to, in place; sign(0) is 0.
  ///
  /// Elementwise balls take one pass over the three arrays.
  /// @param policy      the result is the same for each
  /// @param noise       [rows, elements]
  /// @param grad        [rows, elements]; only the signs count
  /// @param signed_step in the units of the noise; negative to descend
  /// @throws InvalidArgument as project() does, and when `grad` has another shape or the step is
  ///         not finite.
  template <HostPolicy P>
  void sign_step(const P& policy, View<T, 2> noise, View<const T, 2> grad,
                 double signed_step) const {
    validate(noise, grad, signed_step);
    const auto step = static_cast<T>(signed_step);
    run(policy, noise, [step, gradient = grad.flat()](T delta, std::size_t i) {
      return delta + step * sign<T>(gradient[i]);
    });
  }
  /// The same by a NoiseBackend, in its memory.
  template <BackendPolicy B>
  void sign_step(const B& backend, View<T, 2> noise, View<const T, 2> grad,
                 double signed_step) const {
    validate(noise, grad, signed_step);
    detail::noise_backend<BallAndBoxSet>(backend).sign_step(*this, noise, grad,
                                                            static_cast<T>(signed_step));
  }

 private:
  void validate(View<T, 2> noise) const {
    require_same_shape("noise", clean, noise);
    detail::validate(ball, noise.extent(0), noise.extent(1));
    box.validate();
  }
  void validate(View<T, 2> noise, View<const T, 2> grad, double signed_step) const {
    validate(noise);
    require_same_shape("gradient", clean, grad);
    require_step(signed_step);
  }

  /// δ_i ← move(δ_i, i), made feasible; i counts through all rows.
  template <class Move>
  void run(const Sequential& /*policy*/, View<T, 2> noise, Move move) const {
    for (std::size_t row = 0; row < noise.extent(0); ++row) update_row(noise, row, move);
  }

  template <ThreadedPolicy P, class Move>
  void run(const P& policy, View<T, 2> noise, Move move) const {
    const std::size_t elements = std::max<std::size_t>(noise.extent(1), 1);
    const std::size_t grain = std::max<std::size_t>(update_grain / elements, 1);
    for_each_piece(policy, noise.extent(0), grain, [&](std::size_t row, std::size_t last) {
      for (; row < last; ++row) update_row(noise, row, move);
    });
  }

  template <ThreadedPolicy P, class Move>
  void run(const P& policy, View<T, 2> noise, Move move) const
    requires ElementwiseBall<BallT, T>
  {
    if constexpr (detail::uniform_radius<BallT>) {
      const auto radius = static_cast<T>(ball.radius_at(0));
      const View<T, 2> one_row(noise.data(), {1, noise.size()});
      update_in_one_pass(policy, one_row, move, [radius](std::size_t) { return radius; });
    } else {
      std::vector<T> radii(noise.extent(1));
      for (std::size_t i = 0; i < radii.size(); ++i) radii[i] = static_cast<T>(ball.radius_at(i));
      update_in_one_pass(policy, noise, move,
                         [radii = std::span<const T>(radii)](std::size_t i) { return radii[i]; });
    }
  }

  /// `radius_at` is given the column.
  template <ThreadedPolicy P, class Move, class RadiusAt>
  void update_in_one_pass(const P& policy, View<T, 2> noise, Move move, RadiusAt radius_at) const {
    const std::size_t columns = noise.extent(1);
    for_each_piece(
        policy, noise.size(), update_grain,
        [=, delta = noise.flat(), x = clean.flat(), box = box](std::size_t i, std::size_t end) {
          while (i < end) {
            const std::size_t row = i - i % columns;
            for (const std::size_t stop = std::min(end, row + columns); i < stop; ++i) {
              const T boxed = clamp_to(move(delta[i], i), box.low - x[i], box.high - x[i]);
              delta[i] = clamp_to_radius(boxed, radius_at(i - row));
            }
          }
        });
  }

  template <class Rng>
  void draw_row(View<T, 2> noise, std::size_t row, Rng& rng) const {
    const std::span<T> delta = noise.row(row);
    const auto& bound = detail::ball_at(ball, row);
    using RowBall = std::remove_cvref_t<decltype(bound)>;
    if constexpr (ElementwiseBall<RowBall, T>) {
      const std::span<const T> x = clean.row(row);
      for (std::size_t i = 0; i < delta.size(); ++i) {
        const auto radius = static_cast<T>(bound.radius_at(i));
        const T low = clamp_to_radius(box.low - x[i], radius);
        const T high = clamp_to_radius(box.high - x[i], radius);
        require(is_finite(low) && is_finite(high), "range to draw a start from",
                "a finite radius or a finite box", high - low);
        const double width = double{high} - double{low};
        delta[i] = clamp_to(static_cast<T>(low + width * detail::draw_unit(rng)), low, high);
      }
    } else {
      static_assert(DrawableBall<RowBall, T, Rng>,
                    "no start can be drawn from this ball: see unlearn::DrawableBall in "
                    "unlearn/noise/ball.hpp");
      bound.draw(delta, rng);
      update_row(noise, row, [](T drawn, std::size_t) { return drawn; });
    }
  }

  template <class Move>
  void update_row(View<T, 2> noise, std::size_t row, Move move) const {
    const std::span<T> delta = noise.row(row);
    const std::span<const T> x = clean.row(row);
    const auto [low, high] = box;
    for (std::size_t i = 0; i < delta.size(); ++i) {
      const T moved = move(delta[i], row * delta.size() + i);
      delta[i] = clamp_to(moved, low - x[i], high - x[i]);
    }
    detail::ball_at(ball, row).project(delta);
  }
};

/// The clean signals may be given as anything that is seen as a View.
template <class BallT, MatrixLike M>
BallAndBoxSet(BallT, const M&) -> BallAndBoxSet<element_of_t<const M>, BallT>;
template <class BallT, MatrixLike M>
BallAndBoxSet(BallT, const M&, Box<element_of_t<const M>>)
    -> BallAndBoxSet<element_of_t<const M>, BallT>;

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
