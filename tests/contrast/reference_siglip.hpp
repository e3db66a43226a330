// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "unlearn/core/matrix.hpp"

namespace unlearn::testing {

/// SigLIP's loss by its definition, in long double, term by term.
///
/// log1p(exp(x)) reaches x = ±11000 in long double, so no term needs any care.
template <class A, class B>
long double reference_siglip(const A& a, const B& b, long double logit_scale, long double bias) {
  using Extended = MatrixOf<long double>;
  const auto normalised = [](const auto& embeddings) {
    Extended rows = as_eigen(embeddings).template cast<long double>();
    for (auto row : rows.rowwise()) row /= std::max(row.norm(), 1e-12L);
    return rows;
  };
  const Extended s = logit_scale * normalised(a) * normalised(b).transpose();
  long double total = 0;
  for (Eigen::Index i = 0; i < s.rows(); ++i) {
    for (Eigen::Index j = 0; j < s.cols(); ++j) {
      const long double z = i == j ? 1 : -1;
      total += std::log1p(std::exp(-z * (s(i, j) + bias)));
    }
  }
  return total / static_cast<long double>(s.rows());
}

}  // namespace unlearn::testing
