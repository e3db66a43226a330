// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

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
      : rows_(static_cast<Eigen::Index>(embeddings.extent(0)),
              static_cast<Eigen::Index>(embeddings.extent(1))),
        norms_(embeddings.extent(0)) {
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      const std::span<Real> row = View<Real, 2>(rows_).row(i);
      std::ranges::copy(embeddings.row(i), row.begin());
      norms_[i] = std::max(norm_of(row), smallest_norm);
      as_array(row) /= norms_[i];
    }
  }

  /// x̂, [B, D].
  [[nodiscard]] const MatrixOf<Real>& rows() const { return rows_; }

  /// ∂L/∂x = (g − x̂ x̂ᵀg) / ‖x‖ for g = ∂L/∂x̂. Below the floor, where x̂ is linear in x, it is
  /// g / 1e-12.
  /// @param unit_gradient g, [B, D]
  /// @returns ∂L/∂x, [B, D]
  /// @throws InvalidArgument when g has another shape than x.
  [[nodiscard]] MatrixOf<std::remove_const_t<T>> pull_back(
      View<const Real, 2> unit_gradient) const {
    const View<const Real, 2> rows(rows_);
    require_same_shape("gradient with respect to unit rows", rows, unit_gradient);
    MatrixOf<std::remove_const_t<T>> gradient(rows_.rows(), rows_.cols());
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      const std::span<const Real> g = unit_gradient.row(i);
      const std::span<const Real> unit = rows.row(i);
      const Real radial =
          norms_[i] > smallest_norm ? (as_array(g) * as_array(unit)).sum() : Real{0};
      const std::span<std::remove_const_t<T>> out =
          View<std::remove_const_t<T>, 2>(gradient).row(i);
      for (std::size_t d = 0; d < out.size(); ++d) {
        out[d] = static_cast<std::remove_const_t<T>>((g[d] - unit[d] * radial) / norms_[i]);
      }
    }
    return gradient;
  }

 private:
  [[nodiscard]] static Real norm_of(std::span<const Real> row) {
    if (row.empty()) return 0;
    const auto numbers = as_array(row);
    const Real squares = numbers.square().sum();
    if (squares > 1e-280 && squares < 1e280) return std::sqrt(squares);
    // The squares overflow or vanish unless the largest element is taken out.
    const Real largest = std::max(numbers.abs().maxCoeff(), std::numeric_limits<Real>::min());
    return largest * std::sqrt((numbers / largest).square().sum());
  }

  MatrixOf<Real> rows_;
  std::vector<Real> norms_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
