// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>

namespace unlearn {

/// A bound on the noise of one sample, centred at 0: {δ : ‖δ‖ ≤ radius} for some norm.
///
/// Requirements, for a ball `b` of type `B` and a sample's noise `δ` of type `std::span<T>`:
///  1. `b.project(δ)` replaces δ by the nearest point of the ball, in place, and leaves a point of
///     the ball as it is.
///  2. The ball is solid: with δ it contains every point that results from moving numbers of δ
///     towards 0. The same is true of the box that holds a clean signal, so the two can be applied
///     one after the other.
///  3. Projecting does not change the ball, and different samples may be projected at once.
///  4. Optional: `b.validate(elements)` throws InvalidArgument when the ball cannot be applied to
///     samples of that many numbers. Algorithms call it before they change any noise.
template <class B, class T>
concept Ball = requires(const B& ball, std::span<T> sample) {
  { ball.project(sample) } -> std::same_as<void>;
};

/// A ball that bounds each number of a sample by itself: {δ : |δ_i| ≤ radius_at(i)}. A step within
/// such a ball reads and writes the noise once.
///
/// Requirements, beyond Ball:
///  1. `b.radius_at(i)` is not negative, and depends on i alone.
///  2. `b.project(δ)` is δ_i ← min(max(δ_i, −radius_at(i)), radius_at(i)).
///  3. Optional: a static member `B::uniform` that is true says that `radius_at(i)` is the same for
///     all i.
template <class B, class T>
concept ElementwiseBall = Ball<B, T> && requires(const B& ball, std::size_t i) {
  { ball.radius_at(i) } -> std::convertible_to<double>;
};

/// A ball for each row of a batch, where the rows have bounds of their own.
///
/// Requirements, for such balls `b` and rows `r` of the batch:
///  1. `b.at_row(r)` is const and returns the Ball of row r.
///  2. `b.validate(rows, elements)` throws InvalidArgument unless there is a ball for each of so
///     many rows, and it can be applied to so many numbers.
template <class B, class T>
concept RowwiseBall = requires(const B& balls, std::size_t number) {
  { balls.at_row(number) } -> Ball<T>;
  balls.validate(number, number);
};

/// A ball from which a start can be drawn. An ElementwiseBall need not be one.
///
/// Requirements, beyond Ball:
///  1. `b.draw(δ, rng)` sets δ to a uniformly distributed point of the ball.
///  2. It throws InvalidArgument when there is no such distribution, as the ball is unbounded.
template <class B, class T, class Rng>
concept DrawableBall = Ball<B, T> && requires(const B& ball, std::span<T> sample, Rng& rng) {
  ball.draw(sample, rng);
};

namespace detail {

template <class B>
void validate(const B& ball, std::size_t elements) {
  if constexpr (requires { ball.validate(elements); }) ball.validate(elements);
}

/// The same for a batch of rows.
template <class B>
void validate(const B& ball, std::size_t rows, std::size_t elements) {
  if constexpr (requires { ball.validate(rows, elements); }) {
    ball.validate(rows, elements);
  } else {
    validate(ball, elements);
  }
}

/// The ball of one row: of a RowwiseBall its own, else the one that all rows have.
template <class B>
[[nodiscard]] constexpr decltype(auto) ball_at(const B& ball, [[maybe_unused]] std::size_t row) {
  if constexpr (requires { ball.at_row(row); }) {
    return ball.at_row(row);
  } else {
    return (ball);
  }
}

template <class B>
inline constexpr bool uniform_radius = requires { requires B::uniform; };

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
