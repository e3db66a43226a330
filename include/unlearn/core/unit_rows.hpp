// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Embeddings divided by their L2 norms, in double: x̂ = x / max(‖x‖, 1e-12), row by row.
///
/// The floor is torch.nn.functional.normalize's: a row of zeros stays one, and is at similarity 0
/// to everything.
template <class T>
class UnitRows {
 public:
  /// Double, whatever T. By T, so that only who uses the class compiles its expressions.
  using Real = decltype(1.0 * T{});
  static constexpr double smallest_norm = 1e-12;

  UnitRows() = default;

  explicit UnitRows(View<T, 2> embeddings)
      : rows_(as_eigen(embeddings).template cast<Real>()),
        norms_(rows_.rowwise().stableNorm().array().max(smallest_norm)) {
    rows_.array().colwise() /= norms_;
  }

  [[nodiscard]] const MatrixOf<Real>& rows() const { return rows_; }

  /// ∂L/∂x from g = ∂L/∂x̂: (g − x̂ x̂ᵀg) / ‖x‖, and g / 1e-12 below the floor, where x̂ is linear.
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
