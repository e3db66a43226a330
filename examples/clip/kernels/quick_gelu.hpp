// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace unlearn::clip {

/// x·sigmoid(1.702 x), and its gradient: σ + 1.702 x σ (1 − σ), σ = sigmoid(1.702 x).
///
/// On the CPU in float or bfloat16 one pass over memory, forward and backward; elsewhere LibTorch's
/// operations. Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, section 2, with
/// OpenAI's constant.
/// @param x overwritten where no gradient is asked for
[[nodiscard]] at::Tensor quick_gelu(const at::Tensor& x);

/// quick_gelu(x + bias), where no gradient is asked for; in the same pass on the CPU.
/// @param x    [..., W], overwritten
/// @param bias [W] floats
[[nodiscard]] at::Tensor quick_gelu(const at::Tensor& x, const at::Tensor& bias);

}  // namespace unlearn::clip
