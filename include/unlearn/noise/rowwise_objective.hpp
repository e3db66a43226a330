// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <span>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/noise_backend.hpp"

namespace unlearn {

/// What a RowwiseObjective is asked for, and where it writes the answer, for noise of type X.
template <class X>
struct RowEvaluation {
  View<const X, 2> noise;          ///< [B, elements]; rows that have stopped are at their end
  std::span<const Index> rows;     ///< the rows that have not stopped, ascending; never empty
  std::span<double> values;        ///< [B]; a value for each of `rows`; others are not read
  View<gradient_of_t<X>, 2> grad;  ///< [B, elements]; a gradient for each of `rows`
  bool gradient_needed = true;     ///< false at the last iterate: `grad` is then not read
};

/// A loss with a value for each row of the noise.
///
/// Requirements, for an objective `f` and a RowEvaluation `at`:
///  1. `f(at)` writes the value of each row r in `at.rows` to `at.values[r]`, and its gradient with
///     respect to the noise of this row to every element of `at.grad.row(r)`. It may do so for
///     the other rows, too, and may write the gradient where it is not needed.
///  2. The value of a row depends on its own noise. Where it also depends on other rows, the best
///     iterate is the one whose value was best when it was evaluated.
template <class F, class X>
concept RowwiseObjective = requires(F& f, const RowEvaluation<X>& at) { f(at); };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
