// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include "unlearn/core/tensor_view.hpp"
#include "unlearn/interop/eigen.hpp"

namespace unlearn::detail {

/// Embeddings divided by their L2 norms, in double: x̂ = x / max(‖x‖, 1e-12), row by row.
///
/// The floor is torch.nn.functional.normalize's: a row of zeros stays one, and is at similarity 0
/// to everything.
class UnitRows {
 public:
  static constexpr double smallest_norm = 1e-12;

  UnitRows() = default;

  template <class T>
  explicit UnitRows(View<T, 2> embeddings)
      : rows_(as_eigen(embeddings).template cast<double>()),
        norms_(rows_.rowwise().stableNorm().array().max(smallest_norm)) {
    rows_.array().colwise() /= norms_;
  }

  [[nodiscard]] const MatrixOf<double>& rows() const { return rows_; }

  /// ∂L/∂x from g = ∂L/∂x̂: (g − x̂ x̂ᵀg) / ‖x‖, and g / 1e-12 below the floor, where x̂ is linear.
  template <class G>
  [[nodiscard]] MatrixOf<double> pull_back(const Eigen::MatrixBase<G>& unit_gradient) const {
    MatrixOf<double> gradient = unit_gradient;
    const Eigen::ArrayXd radial = gradient.cwiseProduct(rows_).rowwise().sum();
    const Eigen::ArrayXd removed = (norms_ > smallest_norm).select(radial, 0.0);
    gradient.array() -= rows_.array().colwise() * removed;
    gradient.array().colwise() /= norms_;
    return gradient;
  }

 private:
  MatrixOf<double> rows_;
  Eigen::ArrayXd norms_;
};

}  // namespace unlearn::detail
