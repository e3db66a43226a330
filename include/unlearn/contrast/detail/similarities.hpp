// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

/// S = exp(s) · âᵀ b̂ of rows of unit length.
///
/// A template, so that a program compiles Eigen's products only where it calls them.
template <class T>
[[nodiscard]] Eigen::MatrixX<T> similarities_of(double logit_scale, const MatrixOf<T>& a,
                                                const MatrixOf<T>& b) {
  return logit_scale * a * b.transpose();
}

/// Whether a loss of these embeddings can be a number. Sums would not show an infinite embedding in
/// a program compiled with -ffast-math, and from a mixture of +∞ and −∞ a loss could come out as 0.
template <class T>
[[nodiscard]] bool is_finite_pair(View<const T, 2> a, View<const T, 2> b, double logit_scale) {
  return is_finite(logit_scale) && all_finite(a.flat()) && all_finite(b.flat());
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
