// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <span>
#include <type_traits>

namespace unlearn {

/// How the noise moves along the direction that a StepRule has chosen.
enum class Move {
  by_sign,       ///< each number by `step` along its sign; 0 stays
  by_direction,  ///< by step · direction
};

/// How a descent comes from a gradient to a step.
///
/// Requirements, for a rule `r` of type `R`:
///  1. `R::move` is a static constexpr Move: how the noise moves along a direction.
///  2. `R` is trivially copyable and default-constructible.
///  3. Optional: `r.direct(grad, memory)` turns the gradient of one row, a span of floats or
///     doubles, into the row's direction, in place. The direction is the one in which the value
///     rises; the descent goes against it. Without `direct`, the direction is the gradient. The
///     gradient is finite, and the result must be.
///  4. Optional: a static constexpr bool `R::has_memory` that is true. Then `memory` is a span of
///     the same type and size as `grad` that belongs to the row. It is 0 before the row's first
///     step, and stays as `direct` leaves it. Otherwise it is empty.
///  5. `r.direct` is const and depends on its arguments alone. It may be called for several rows
///     at once.
///  6. Optional: `r.validate()` throws InvalidArgument when the rule's settings are invalid.
template <class R>
concept StepRule = std::is_trivially_copyable_v<R> && std::default_initializable<R> &&
                   requires { requires std::same_as<std::remove_cv_t<decltype(R::move)>, Move>; };

namespace detail {

/// Whether a rule changes the gradient.
template <class R, class T>
concept DirectsRows =
    requires(const R& rule, std::span<T> grad, std::span<T> memory) { rule.direct(grad, memory); };

template <class R>
inline constexpr bool has_memory = requires { requires R::has_memory; };

template <class R>
void validate_rule(const R& rule) {
  if constexpr (requires { rule.validate(); }) rule.validate();
}

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
