// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include "unlearn/contrast/log_sum_exp.hpp"

/// @file
/// What InfoNCE and its scorer share, as functions of the similarities S [B, B]. Templates, so that
/// a program compiles Eigen's exponentials only where it calls them.

namespace unlearn::detail {

/// h_j = log Σ_{i≠j} exp(S_ij) − S_jj, the log odds against pair j in column j; log_zero if B = 1.
template <class S>
[[nodiscard]] auto log_odds_against(const Eigen::MatrixBase<S>& similarities) {
  Eigen::MatrixX<typename S::Scalar> others = similarities;
  others.diagonal().setConstant(log_zero);
  Eigen::ArrayX<typename S::Scalar> odds(others.cols());
  for (Eigen::Index j = 0; j < odds.size(); ++j) {
    odds[j] = log_sum_exp(others.col(j).array()) - similarities(j, j);
  }
  return odds;
}

/// ∂/∂S of Σ_j softplus(h_j): p_ij = exp(S_ij − S_jj − softplus(h_j)), and −Σ_{i≠j} p_ij at (j, j).
/// @param column_losses [B] softplus(h_j)
template <class S, class Losses>
[[nodiscard]] auto cross_entropy_gradient(const Eigen::MatrixBase<S>& similarities,
                                          const Losses& column_losses) {
  using Vector = Eigen::VectorX<typename S::Scalar>;
  const Vector log_totals = similarities.diagonal() + column_losses.matrix();
  Eigen::MatrixX<typename S::Scalar> gradient =
      (similarities.rowwise() - log_totals.transpose()).array().exp();
  gradient.diagonal().setZero();
  // Not p_jj − 1, which has no correct digit left once p_jj is close to 1.
  const Vector wrong = gradient.colwise().sum();
  gradient.diagonal() = -wrong;
  return gradient;
}

/// The loss.
template <class S>
[[nodiscard]] double info_nce_of_similarities(const Eigen::MatrixBase<S>& similarities) {
  return (softplus(log_odds_against(similarities)).sum() +
          softplus(log_odds_against(similarities.transpose())).sum()) /
         static_cast<double>(2 * similarities.rows());
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
