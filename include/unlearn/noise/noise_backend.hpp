// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <type_traits>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The number type of gradients for noise of type X: X itself, and float for whole levels.
template <class X>
using gradient_of_t = std::conditional_t<std::floating_point<X>, X, float>;

/// What noise of type X moves by in one step: X itself, or whole levels.
template <class X>
using step_of_t = std::conditional_t<std::floating_point<X>, X, int>;

/// A Backend that moves noise within a set of type `Set`: a PixelGridSet or a BallAndBoxSet.
///
/// Requirements, for a backend `b`, a set `s` of numbers of type X (`Set::value_type`), and `noise`
/// and `grad` [rows, elements] in the backend's memory, as is `s.clean`:
///  1. `b.project(s, noise)` does what `s.project(sequential, noise)` does.
///  2. `b.sign_step(s, noise, grad, step)` does what `s.sign_step(sequential, noise, grad, ...)`
///     does. The step is in the units of the stored noise: levels for a PixelGridSet.
///  3. Both come to the host's bytes. The set has checked shapes, ball and box.
template <class B, class Set>
concept NoiseBackend =
    Backend<B> &&
    requires(const B& backend, const Set& set, View<typename Set::value_type, 2> noise,
             View<const gradient_of_t<typename Set::value_type>, 2> grad,
             step_of_t<typename Set::value_type> step) {
      backend.project(set, noise);
      backend.sign_step(set, noise, grad, step);
    };

namespace detail {

/// @returns the policy of a set's `project` or `sign_step`, where it is not the host's.
template <class Set, class B>
[[nodiscard]] constexpr const B& noise_backend(const B& backend) {
  static_assert(NoiseBackend<B, Set>,
                "this policy is no unlearn::NoiseBackend for this set of noises: see its "
                "requirements in unlearn/noise/noise_backend.hpp");
  return backend;  // NOLINT(bugprone-return-const-ref-from-parameter): as std::as_const
}

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
