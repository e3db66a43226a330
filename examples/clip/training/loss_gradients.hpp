// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/matrix.hpp"

namespace unlearn::clip {

/// What a training step needs of a loss, whichever it is.
struct LossGradients {
  double value = 0;        ///< L
  Matrix images;           ///< ∂L/∂(embeddings of the images), [B, D]
  Matrix texts;            ///< ∂L/∂(embeddings of the texts), [B, D]
  double logit_scale = 0;  ///< ∂L/∂s, where the factor on similarities is exp(s)
  double logit_bias = 0;   ///< ∂L/∂(bias)
};

/// Takes these from what a ContrastiveLoss returned; a derivative that it does not have is 0, so
/// that the parameter stays as it is.
template <class Result>
[[nodiscard]] LossGradients loss_gradients(const Result& result) {
  LossGradients gradients{.value = static_cast<double>(result.value),
                          .images = as_eigen(result.grad_a),
                          .texts = as_eigen(result.grad_b)};
  if constexpr (requires { result.grad_log_scale; }) gradients.logit_scale = result.grad_log_scale;
  if constexpr (requires { result.grad_bias; }) gradients.logit_bias = result.grad_bias;
  return gradients;
}

}  // namespace unlearn::clip
