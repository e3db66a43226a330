// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace unlearn::clip {

/// Step t ≥ 1 of AdamW for one tensor:
///
///     p ← p·(1 − rate·decay)
///     m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
///     p ← p − rate/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
///
/// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2,
/// as LibTorch computes it, but in one pass over memory.
struct AdamWStep {
  double rate = 0;          ///< learning rate
  double beta1 = 0;         ///< decay of the mean of the gradients, in [0, 1)
  double beta2 = 0;         ///< decay of the mean of their squares, in [0, 1)
  double epsilon = 0;       ///< ε
  double weight_decay = 0;  ///< decay
  std::int64_t t = 1;       ///< number of this step, from 1 on

  /// Whether operator() supports these tensors.
  /// @returns true when both hold floats on the CPU, `p` has no gaps between its numbers, and `g`
  ///          is strided
  [[nodiscard]] static bool takes(const at::Tensor& p, const at::Tensor& g);

  /// Takes the step, with LibTorch's threads.
  /// @param p the parameters; changed in place
  /// @param g the gradient, of the shape of `p`; takes() must hold for `p` and `g`
  /// @param m the mean of the gradients, with the shape and strides of `p`; changed in place
  /// @param v the mean of their squares, with the shape and strides of `p`; changed in place
  void operator()(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m,
                  const at::Tensor& v) const;
};

}  // namespace unlearn::clip
