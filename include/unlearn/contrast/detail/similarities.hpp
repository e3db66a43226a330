// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <type_traits>

#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/product.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

namespace unlearn::detail {

/// All numbers of a matrix, row by row.
template <class Real>
[[nodiscard]] std::span<Real> flat(MatrixOf<Real>& matrix) {
  return View<Real, 2>(matrix).flat();
}
template <class Real>
[[nodiscard]] std::span<const Real> flat(const MatrixOf<Real>& matrix) {
  return View<const Real, 2>(matrix).flat();
}

/// exp(s) · âᵀ b̂ of rows of unit length.
template <class Real>
[[nodiscard]] MatrixOf<Real> similarities_of(double logit_scale, const MatrixOf<Real>& a,
                                             const MatrixOf<Real>& b) {
  MatrixOf<Real> similarities = times_transposed(a, b);
  as_array(flat(similarities)) *= logit_scale;
  return similarities;
}

/// The similarities S_ij = exp(s) · âᵢᵀ b̂ⱼ of two sets of embeddings, and the way back from a
/// gradient with respect to S to the embeddings.
/// @tparam T the embeddings' element type; computed in double
template <class T>
class Similarities {
 public:
  /// Double.
  using Real = typename UnitRows<const T>::Real;

  /// @param a, b        [B, D]
  /// @param logit_scale exp(s)
  Similarities(View<const T, 2> a, View<const T, 2> b, double logit_scale)
      : logit_scale_(logit_scale),
        a_(a),
        b_(b),
        values_(similarities_of<Real>(logit_scale, a_.rows(), b_.rows())),
        finite_(is_finite(logit_scale) && all_finite(a.flat()) && all_finite(b.flat())) {}

  /// S, [B, B].
  [[nodiscard]] const MatrixOf<Real>& values() const { return values_; }

  /// Whether a loss of these embeddings can be a number. Sums would not show an infinite embedding
  /// in a program compiled with -ffast-math, and from a mixture of +∞ and −∞ a loss could come out
  /// as 0.
  [[nodiscard]] bool finite() const { return finite_; }

  /// ∂L/∂a, [B, D].
  /// @param gradient ∂L/∂S, [B, B]
  [[nodiscard]] MatrixOf<T> grad_a(const MatrixOf<Real>& gradient) const {
    return a_.pull_back(times_transposed(scaled(gradient), transposed(b_.rows())));
  }

  /// ∂L/∂b, [B, D].
  /// @param gradient ∂L/∂S, [B, B]
  [[nodiscard]] MatrixOf<T> grad_b(const MatrixOf<Real>& gradient) const {
    return b_.pull_back(times_transposed(scaled(transposed(gradient)), transposed(a_.rows())));
  }

  /// ∂L/∂s.
  /// @param gradient ∂L/∂S, [B, B]
  [[nodiscard]] Real grad_log_scale(const MatrixOf<Real>& gradient) const {
    return (as_array(flat(gradient)) * as_array(flat(values_))).sum();
  }

 private:
  [[nodiscard]] MatrixOf<Real> scaled(MatrixOf<Real> gradient) const {
    as_array(flat(gradient)) *= logit_scale_;
    return gradient;
  }

  double logit_scale_;
  UnitRows<const T> a_;
  UnitRows<const T> b_;
  MatrixOf<Real> values_;
  bool finite_;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
