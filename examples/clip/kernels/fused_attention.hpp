// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace unlearn::clip {

/// Which keys a query sees.
enum class Attends : std::uint8_t {
  everywhere,  ///< all of its sequence
  backwards,   ///< those up to its own position
};

/// softmax(q kᵀ/√d) v within each sequence and head, d = W/H, of keys that the query sees.
///
/// On the CPU, in float or in bfloat16 widened to it, each sequence and head is taken by itself,
/// without a tensor of scores and without what lies ahead of a query; in training the probabilities
/// are kept, [B, H, L, L]. Elsewhere LibTorch's operations on whole batches. Both have gradients.
/// Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.
///
/// @param packed [B, L, 3W], queries, keys and values of each position
/// @returns      [B, L, W]
[[nodiscard]] at::Tensor self_attention(const at::Tensor& packed, std::int64_t heads,
                                        Attends attends);

/// self_attention(packed + bias), where no gradient is asked for: on the CPU, in bfloat16, without
/// a pass over memory for the sum.
/// @param bias [3W] floats
[[nodiscard]] at::Tensor self_attention(const at::Tensor& packed, const at::Tensor& bias,
                                        std::int64_t heads, Attends attends);

/// The same for one query of each sequence.
///
/// @param queries [B, W]
/// @param packed  [B, L, 2W], keys and values of each position
/// @param last    [B] the last key that each query sees; undefined where it sees all
/// @returns       [B, W]
[[nodiscard]] at::Tensor single_attention(const at::Tensor& queries, const at::Tensor& packed,
                                          std::int64_t heads, const at::Tensor& last);

/// self_attention() in LibTorch's operations.
[[nodiscard]] at::Tensor plain_self_attention(const at::Tensor& packed, std::int64_t heads,
                                              Attends attends);
/// single_attention() in LibTorch's operations.
[[nodiscard]] at::Tensor plain_single_attention(const at::Tensor& queries, const at::Tensor& packed,
                                                std::int64_t heads, const at::Tensor& last);

}  // namespace unlearn::clip
