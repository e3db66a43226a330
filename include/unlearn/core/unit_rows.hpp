// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Embeddings divided by their L2 norms: x̂ = x / max(‖x‖, 1e-12), row by row, in double precision.
///
/// The floor is that of torch.nn.functional.normalize. A row of zeros stays a row of zeros; its
/// similarity to every other row is 0.
template <class T>
class UnitRows {
 public:
  /// Double, whatever T is. It depends on T so that the class is compiled only where it is used.
  using Real = decltype(1.0 * T{});
  /// The least number that a row is divided by.
  static constexpr double smallest_norm = 1e-12;

  /// No rows.
  UnitRows() = default;

  /// Copies and normalises the rows.
  /// @param embeddings x, [B, D]
  explicit UnitRows(View<T, 2> embeddings)
      : rows_(as_eigen(embeddings).template cast<Real>()),
        norms_(rows_.rowwise().stableNorm().array().max(smallest_norm)) {
    rows_.array().colwise() /= norms_;
  }

  /// x̂, [B, D].
  [[nodiscard]] const MatrixOf<Real>& rows() const { return rows_; }

  /// ∂L/∂x = (g − x̂ x̂ᵀg) / ‖x‖ for g = ∂L/∂x̂. Below the floor, where x̂ is linear in x, it is
  /// g / 1e-12.
  /// @param unit_gradient g, [B, D]
  /// @returns ∂L/∂x, [B, D]
  template <class G>
  [[nodiscard]] MatrixOf<Real> pull_back(const Eigen::MatrixBase<G>& unit_gradient) const {
    MatrixOf<Real> gradient = unit_gradient;
    const Eigen::ArrayX<Real> radial = gradient.cwiseProduct(rows_).rowwise().sum();
    const Eigen::ArrayX<Real> removed = (norms_ > smallest_norm).select(radial, 0.0);
    gradient.array() -= rows_.array().colwise() * removed;
    gradient.array().colwise() /= norms_;
    return gradient;
  }

 private:
  MatrixOf<Real> rows_;
  Eigen::ArrayX<Real> norms_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
