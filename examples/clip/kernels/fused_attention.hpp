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

/// softmax(q kᵀ/√d) v within each sequence and head, over the keys that each query sees; d = W/H.
///
/// On the CPU, for float and bfloat16 (which is widened to float), each sequence and head is
/// computed separately. No tensor of scores is made, and keys that a query does not see cost
/// nothing. With gradients, the probabilities are kept: [B, H, L, L]. On other devices and for
/// other types, LibTorch's operations run on the whole batch. Both ways have gradients. Source:
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.
///
/// @param packed  [B, L, 3W], the queries, keys and values of each position
/// @param heads   H, a divisor of W
/// @param attends which keys each query sees
/// @returns [B, L, W], of the type of `packed`
[[nodiscard]] at::Tensor self_attention(const at::Tensor& packed, std::int64_t heads,
                                        Attends attends);

/// self_attention(packed + bias) without gradients. For bfloat16 on the CPU, the sum needs no pass
/// over memory of its own.
/// @param packed  [B, L, 3W], the queries, keys and values of each position
/// @param bias    [3W] floats
/// @param heads   H, a divisor of W
/// @param attends which keys each query sees
/// @returns [B, L, W]
[[nodiscard]] at::Tensor self_attention(const at::Tensor& packed, const at::Tensor& bias,
                                        std::int64_t heads, Attends attends);

/// Attention with one query for each sequence; computed as in self_attention().
///
/// @param queries [B, W]
/// @param packed  [B, L, 2W], the keys and values of each position
/// @param heads   H, a divisor of W
/// @param last    [B] the position of the last key that each query sees, int64; undefined if each
///                query sees all keys
/// @returns [B, W]
[[nodiscard]] at::Tensor single_attention(const at::Tensor& queries, const at::Tensor& packed,
                                          std::int64_t heads, const at::Tensor& last);

/// self_attention() by LibTorch's operations, on any device.
[[nodiscard]] at::Tensor plain_self_attention(const at::Tensor& packed, std::int64_t heads,
                                              Attends attends);

/// single_attention() by LibTorch's operations, on any device.
[[nodiscard]] at::Tensor plain_single_attention(const at::Tensor& queries, const at::Tensor& packed,
                                                std::int64_t heads, const at::Tensor& last);

}  // namespace unlearn::clip
