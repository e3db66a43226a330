// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/product.hpp"
#include "unlearn/core/tensor_view.hpp"

/// @file
/// What InfoNCE and its scorer share. Row i of a matrix X [B, B] holds the logits of a choice among
/// B, of which number i is right.

namespace unlearn::detail {

/// h_i = log Σ_{k≠i} exp(X_ik) − X_ii, the log odds against i in row i; log_zero if B = 1.
template <class Real>
[[nodiscard]] std::vector<Real> log_odds_against(const MatrixOf<Real>& logits) {
  const View<const Real, 2> rows(logits);
  std::vector<Real> odds(rows.extent(0));
  std::vector<Real> others(rows.extent(1));
  for (std::size_t i = 0; i < odds.size(); ++i) {
    std::ranges::copy(rows.row(i), others.begin());
    others[i] = log_zero;
    odds[i] = log_sum_exp<Real>(others) - rows.row(i)[i];
  }
  return odds;
}

/// softplus(h_i), the cross-entropy of row i.
template <class Real>
[[nodiscard]] std::vector<Real> cross_entropies(const MatrixOf<Real>& logits) {
  std::vector<Real> losses = log_odds_against(logits);
  softplus<Real>(losses);
  return losses;
}

/// ∂/∂X of Σ_i softplus(h_i): p_ik = exp(X_ik − X_ii − softplus(h_i)), and −Σ_{k≠i} p_ik at (i, i).
/// @param losses [B] softplus(h_i)
template <class Real>
[[nodiscard]] MatrixOf<Real> cross_entropy_gradient(const MatrixOf<Real>& logits,
                                                    std::span<const Real> losses) {
  MatrixOf<Real> gradient = logits;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const std::span<Real> row = View<Real, 2>(gradient).row(i);
    exp_of_difference<Real>(row, row[i] + losses[i]);
    // Not p_ii − 1, which has no correct digit left once p_ii is close to 1.
    row[i] = 0;
    row[i] = -sum_of<Real>(row);
  }
  return gradient;
}

/// The loss, from the similarities S or from Sᵀ.
template <class Real>
[[nodiscard]] double info_nce_of_similarities(const MatrixOf<Real>& similarities) {
  const std::vector<Real> of_rows = cross_entropies(similarities);
  const std::vector<Real> of_columns = cross_entropies(transposed(similarities));
  return (sum_of<Real>(of_rows) + sum_of<Real>(of_columns)) /
         (2 * static_cast<double>(of_rows.size()));
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
