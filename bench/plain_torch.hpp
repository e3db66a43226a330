// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

/// @file
/// What users of LibTorch would write without this library, on any device: one operation per
/// statement.

namespace unlearn_bench {

/// A noise step δ ← Proj(δ − step · sign g). The noise stays in the ball, and the image in [0, 1].
inline at::Tensor plain_sign_step(at::Tensor noise, const at::Tensor& clean, const at::Tensor& grad,
                                  double step, double radius) {
  const at::Tensor direction = grad.sign();
  noise = noise - step * direction;
  noise = noise.clamp(-radius, radius);
  const at::Tensor perturbed = (clean + noise).clamp(0, 1);
  return perturbed - clean;
}

/// CLIP's loss of two batches of embeddings.
/// @param scale a number or a tensor
template <class Scale>
at::Tensor plain_info_nce(const at::Tensor& images, const at::Tensor& texts, const Scale& scale) {
  const at::Tensor a = images / images.norm(2, 1, true);
  const at::Tensor b = texts / texts.norm(2, 1, true);
  const at::Tensor logits = scale * a.mm(b.t());
  const at::Tensor diagonal = at::arange(logits.size(0), logits.options().dtype(at::kLong));
  return (at::cross_entropy_loss(logits, diagonal) + at::cross_entropy_loss(logits.t(), diagonal)) /
         2;
}

}  // namespace unlearn_bench
