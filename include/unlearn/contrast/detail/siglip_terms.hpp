// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <span>

#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/core/matrix.hpp"

namespace unlearn::detail {

/// x_ij = −z_ij (S_ij + b), the logit of the wrong answer for signal i and caption j: the loss is
/// the sum of softplus(x) over B. z_ij is 1 on the diagonal and −1 elsewhere.
/// @param similarities S [B, B]
/// @returns            [B, B]
template <class Real>
[[nodiscard]] MatrixOf<Real> wrong_answers(const MatrixOf<Real>& similarities, double bias) {
  MatrixOf<Real> logits = similarities;
  as_array(flat(logits)) += bias;
  for (Eigen::Index i = 0; i < logits.rows(); ++i) logits(i, i) = -logits(i, i);
  return logits;
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
