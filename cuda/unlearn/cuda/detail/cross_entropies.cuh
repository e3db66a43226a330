// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>

#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/logarithms.cuh"

namespace unlearn::cuda::detail {

/// log Σ exp(x_i) over i < count, without i = left_out; log_zero where nothing is left. The same
/// for every member.
UNLEARN_EXEC_CHECK_DISABLE
template <class Team>
[[nodiscard]] UNLEARN_HOST_DEVICE double log_sum_exp_without(Team& team, const double* x,
                                                             std::size_t count, std::size_t stride,
                                                             std::size_t left_out) {
  double largest = log_zero;
  for (std::size_t i = team.rank(); i < count; i += team.size()) {
    if (i != left_out && !(x[i * stride] <= largest)) largest = x[i * stride];
  }
  largest = team.max(largest);
  if (largest == log_zero) return log_zero;
  double sum = 0;
  for (std::size_t i = team.rank(); i < count; i += team.size()) {
    if (i != left_out) sum += std::exp(x[i * stride] - largest);
  }
  return largest + std::log(team.sum(sum));
}

/// softplus(log Σ_{k≠i} exp(S_ik) − S_ii) for row i in group i < B, and the same of column i in
/// group B + i.
struct CrossEntropies {
  const double* similarities;
  std::size_t pairs;
  double* losses;  ///< [2 B]

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t group) const {
    const bool of_row = group < pairs;
    const std::size_t i = of_row ? group : group - pairs;
    const double* const line = similarities + (of_row ? i * pairs : i);
    const double others =
        log_sum_exp_without(team, line, pairs, of_row ? std::size_t{1} : pairs, i);
    if (team.rank() == 0) losses[group] = softplus(others - similarities[i * pairs + i]);
  }
};

/// *value ← the mean of all cross-entropies.
struct MeanLoss {
  const double* losses;
  std::size_t pairs;
  double* value;

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t /*group*/) const {
    double sum = 0;
    for (std::size_t i = team.rank(); i < 2 * pairs; i += team.size()) sum += losses[i];
    sum = team.sum(sum);
    if (team.rank() == 0) *value = sum / static_cast<double>(2 * pairs);
  }
};

}  // namespace unlearn::cuda::detail
