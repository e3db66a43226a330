// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace unlearn::clip {

/// One step of AdamW for one tensor, number t ≥ 1 of its steps:
///
///     p ← p·(1 − rate·decay)
///     m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
///     p ← p − rate/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
///
/// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2,
/// as LibTorch computes it; here in one pass over memory.
struct AdamWStep {
  double rate = 0;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;
  std::int64_t t = 1;

  /// Whether operator() can take these tensors: floats on the CPU without gaps, laid out alike.
  [[nodiscard]] static bool takes(const at::Tensor& p, const at::Tensor& g);

  /// @param p, m, v changed in place; m and v laid out as p is
  /// @param g       the gradient
  void operator()(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m,
                  const at::Tensor& v) const;
};

}  // namespace unlearn::clip
