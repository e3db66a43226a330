// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// out = A · Bᵀ: the dot product of each row of A with each row of B.
///
/// The library takes all its products through this function. Every product expression of Eigen
/// costs a program about half a second of compile time, so there is one for each element type.
/// @param a   A, [M, D]
/// @param b   B, [N, D]
/// @param out [M, N], overwritten; no memory of A or B
/// @throws InvalidArgument when the shapes disagree.
template <std::floating_point T>
void multiply_by_transposed(View<const T, 2> a, View<const T, 2> b, View<T, 2> out) {
  require_size("columns of the right factor", a.extent(1), b.extent(1));
  require_size("rows of the product", a.extent(0), out.extent(0));
  require_size("columns of the product", b.extent(0), out.extent(1));
  as_eigen(out).noalias() = as_eigen(a) * as_eigen(b).transpose();
}

/// A · Bᵀ.
/// @param a A, [M, D]
/// @param b B, [N, D]
/// @returns [M, N]
/// @throws InvalidArgument when the numbers of columns differ.
template <std::floating_point T>
[[nodiscard]] MatrixOf<T> times_transposed(const MatrixOf<T>& a, const MatrixOf<T>& b) {
  MatrixOf<T> product(a.rows(), b.rows());
  multiply_by_transposed<T>(a, b, product);
  return product;
}

/// Aᵀ.
/// @param matrix A, [M, N]
/// @returns [N, M]
template <class T>
[[nodiscard]] MatrixOf<T> transposed(const MatrixOf<T>& matrix) {
  constexpr Eigen::Index tile = 16;  // of a size that stays in the cache, read and written
  const Eigen::Index rows = matrix.rows();
  const Eigen::Index columns = matrix.cols();
  MatrixOf<T> result(columns, rows);
  for (Eigen::Index i0 = 0; i0 < rows; i0 += tile) {
    for (Eigen::Index j = 0; j < columns; ++j) {
      for (Eigen::Index i = i0; i < std::min(i0 + tile, rows); ++i) result(j, i) = matrix(i, j);
    }
  }
  return result;
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
