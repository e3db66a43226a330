// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace unlearn::clip {

/// x·sigmoid(1.702 x). Its derivative is σ + 1.702 x σ (1 − σ), where σ = sigmoid(1.702 x).
///
/// For float and bfloat16 on the CPU, forward and backward take one pass over memory each. On other
/// devices and for other types, LibTorch's operations do it.
/// Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, section 2; the constant is
/// from OpenAI's CLIP.
/// @param x a tensor of any shape; overwritten if it needs no gradient
/// @returns a tensor of the shape and type of `x`, which may be `x` itself
[[nodiscard]] at::Tensor quick_gelu(const at::Tensor& x);

/// quick_gelu(x + bias) without gradients; on the CPU, still in one pass.
/// @param x    [..., W]; overwritten
/// @param bias [W] floats
/// @returns [..., W]; may be `x` itself
[[nodiscard]] at::Tensor quick_gelu(const at::Tensor& x, const at::Tensor& bias);

}  // namespace unlearn::clip
