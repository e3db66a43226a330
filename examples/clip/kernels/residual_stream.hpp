// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

namespace unlearn::clip {

/// The sum that runs through a transformer: x ← x + branch(norm(x)), branch by branch.
///
/// On the CPU without gradients, one pass over memory does three things: it adds a branch's bias,
/// adds the branch to x, and computes the norm before the next branch. On other devices, or with
/// gradients, LibTorch's operations do it.
/// Source: for the norm, J. L. Ba et al., "Layer Normalization", 2016, eq. 4.
class ResidualStream {
 public:
  /// @param x [..., W]; overwritten while gradients are disabled
  explicit ResidualStream(at::Tensor x);

  /// norm(x).
  /// @param norm a norm over the last dimension, of W numbers, with weight and bias
  /// @returns [..., W], of the type of the branch that was added last. The next branch computes in
  ///          that type, so it need not convert.
  [[nodiscard]] at::Tensor normed(torch::nn::LayerNorm& norm);

  /// x ← x + last(hidden).
  /// @param last   the last layer of a branch, with a bias
  /// @param hidden [..., last's inputs], what this layer is applied to
  void add(torch::nn::Linear& last, const at::Tensor& hidden);

  /// @returns x with all that was added to it, [..., W]
  [[nodiscard]] at::Tensor sum();

 private:
  at::Tensor x_;
  at::Tensor change_{};  ///< what is not yet added to x, [..., W]; or undefined
  at::Tensor bias_{};    ///< the bias that belongs to `change_`, [W]
  bool in_one_pass_;
};

}  // namespace unlearn::clip
