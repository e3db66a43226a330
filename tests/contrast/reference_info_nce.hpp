// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "unlearn/core/matrix.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::testing {

/// The definition of the symmetric InfoNCE, in long double, term by term.
///
/// The range of long double is about e^±11000, so large and tiny terms need no special treatment.
template <class A, class B>
long double reference_info_nce(const A& a, const B& b, long double logit_scale) {
  using Extended = MatrixOf<long double>;
  const auto normalised = [](const auto& embeddings) {
    Extended rows = as_eigen(embeddings).template cast<long double>();
    for (auto row : rows.rowwise()) row /= std::max(row.norm(), 1e-12L);
    return rows;
  };
  const Extended s = logit_scale * normalised(a) * normalised(b).transpose();
  const Eigen::Index pairs = s.rows();
  long double total = 0;
  for (Eigen::Index i = 0; i < pairs; ++i) {
    long double row = 0;
    long double column = 0;
    for (Eigen::Index k = 0; k < pairs; ++k) {
      if (k == i) continue;
      row += std::exp(s(i, k) - s(i, i));
      column += std::exp(s(k, i) - s(i, i));
    }
    total += std::log1p(row) + std::log1p(column);
  }
  return total / static_cast<long double>(2 * pairs);
}

/// [rows, columns] numbers, uniform in [−1, 1).
template <class T, class Rng>
MatrixOf<T> random_matrix(std::size_t rows, std::size_t columns, Rng& rng) {
  MatrixOf<T> matrix(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
  for (T& x : matrix.reshaped()) {
    x = static_cast<T>(std::ldexp(static_cast<double>(random_bits(rng) >> 11U), -52) - 1);
  }
  return matrix;
}

/// The first `count` unit vectors, each turned by `angle` towards the next; needs count < columns.
template <class T>
MatrixOf<T> turned_axes(std::size_t count, std::size_t columns, double angle) {
  const auto rows = static_cast<Eigen::Index>(count);
  MatrixOf<T> matrix = MatrixOf<T>::Zero(rows, static_cast<Eigen::Index>(columns));
  for (Eigen::Index i = 0; i < rows; ++i) {
    matrix(i, i) = static_cast<T>(std::cos(angle));
    matrix(i, i + 1) = static_cast<T>(std::sin(angle));
  }
  return matrix;
}

}  // namespace unlearn::testing
