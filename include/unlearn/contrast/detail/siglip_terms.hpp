// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

namespace unlearn::detail {

/// x_ij = −z_ij (S_ij + b), the logit of the wrong answer for signal i and caption j: the loss is
/// the sum of softplus(x) over B. z_ij is 1 on the diagonal and −1 elsewhere.
/// @param similarities S [B, B]
/// @returns            [B, B]
template <class S>
[[nodiscard]] auto wrong_answers(const Eigen::MatrixBase<S>& similarities, double bias) {
  Eigen::ArrayXX<typename S::Scalar> logits = similarities.array() + bias;
  logits.matrix().diagonal() *= -1;
  return logits;
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
