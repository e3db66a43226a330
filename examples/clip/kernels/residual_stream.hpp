// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace unlearn::clip {

/// The sum that runs through a transformer: x ← x + branch(norm(x)), branch by branch.
///
/// Where no gradient is asked for, on the CPU, a branch's bias, its sum with x and the norm before
/// the next branch are one pass over memory; elsewhere, or with gradients, LibTorch's operations.
/// Source: for the norm, J. L. Ba et al., "Layer Normalization", 2016, eq. 4.
class ResidualStream {
 public:
  /// @param x [..., W], overwritten where no gradient is asked for
  explicit ResidualStream(at::Tensor x);

  /// norm(x).
  /// @returns [..., W], of the type of the branch that was added last, so that the next one, which
  ///          computes in the same type, need not turn it
  [[nodiscard]] at::Tensor normed(torch::nn::LayerNorm& norm);

  /// x ← x + last(hidden).
  /// @param last the last map of a branch
  void add(torch::nn::Linear& last, const at::Tensor& hidden);

  /// x, with all that was added.
  [[nodiscard]] at::Tensor sum();

 private:
  at::Tensor x_;
  at::Tensor change_{};  ///< is still to be added to x, or undefined
  at::Tensor bias_{};    ///< and so is this, [W]
  bool in_one_pass_;
};

}  // namespace unlearn::clip
