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

namespace detail {

template <class B>
void validate(const B& ball, std::size_t elements) {
  if constexpr (requires { ball.validate(elements); }) ball.validate(elements);
}

template <class B>
inline constexpr bool uniform_radius = requires { requires B::uniform; };

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
