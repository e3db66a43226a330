// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// A random transform of signals that gradients can be sent back through: T(x; seed), such as a
/// shift, a crop, a blur or a change of loudness.
///
/// Requirements, for a transform `t`, signals `x` [B, n] in their own units, one seed a row, and
/// m = `t.elements(n)`:
///  1. `t.elements(n)` is how many numbers a transformed signal has.
///  2. `t.apply(seeds, x, y)` writes T(x_r; seeds[r]) to row r of `y` [B, m]. All that is random
///     follows from the row's seed.
///  3. `t.pull_back(seeds, x, dy, dx)` writes Jᵀ dy_r to row r of `dx` [B, n]. J [m, n] is the
///     Jacobian of T(·; seeds[r]) at x_r, so for a linear T this is its adjoint.
///  4. Both are const and overwrite what they write to. A row depends on no other row.
template <class T>
concept SignalTransform = requires(const T& t, std::size_t n, std::span<const std::uint64_t> seeds,
                                   View<const float, 2> in, View<float, 2> out) {
  { t.elements(n) } -> std::convertible_to<std::size_t>;
  t.apply(seeds, in, out);
  t.pull_back(seeds, in, in, out);
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
