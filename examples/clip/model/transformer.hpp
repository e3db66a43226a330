// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <vector>

#include "clip/kernels/fused_attention.hpp"
#include "clip/kernels/residual_stream.hpp"

namespace unlearn::clip {

/// What the blocks of one transformer have in common.
struct TransformerSizes {
  std::int64_t width = 0;                 ///< W
  std::int64_t heads = 0;                 ///< H; W is a multiple of it
  std::int64_t layers = 0;                ///< blocks
  bool quick_gelu = true;                 ///< x·sigmoid(1.702 x) for the exact GELU
  Attends attends = Attends::everywhere;  ///< which positions a position sees
};

/// Multi-head attention, with the parameters of torch.nn.MultiheadAttention under their names.
/// Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.
class AttentionImpl : public torch::nn::Module {
 public:
  AttentionImpl(std::int64_t width, std::int64_t heads);

  /// self_attention(in_proj(x)): all but out_proj.
  /// @param x [B, L, W]
  /// @returns [B, L, W]
  at::Tensor forward(const at::Tensor& x, Attends attends);

  /// The same for one query of each sequence.
  /// @param queries [B, W]
  /// @param x       [B, L, W], of which keys and values are made
  /// @param last    see single_attention()
  /// @returns       [B, W]
  at::Tensor forward_single(const at::Tensor& queries, const at::Tensor& x, const at::Tensor& last);

  at::Tensor in_proj_weight;            ///< [3W, W]: of queries, keys and values
  at::Tensor in_proj_bias;              ///< [3W]
  torch::nn::Linear out_proj{nullptr};  ///< W to W

 private:
  std::int64_t heads_;
};
TORCH_MODULE(Attention);

/// x ← x + attention(ln₁ x); x ← x + mlp(ln₂ x).
/// Source: OpenAI's CLIP, the residual attention block of both towers.
class ResidualAttentionBlockImpl : public torch::nn::Module {
 public:
  explicit ResidualAttentionBlockImpl(const TransformerSizes& sizes);

  /// @param x [B, L, W]; takes both sums
  void forward(ResidualStream& x);

  /// What x is after forward() at one position of each sequence, at the cost of that position.
  /// @param at [B], the positions
  /// @returns  [B, W]
  at::Tensor forward_at(ResidualStream& x, const at::Tensor& at);

  torch::nn::LayerNorm ln_1{nullptr};
  Attention attn{nullptr};
  torch::nn::LayerNorm ln_2{nullptr};
  torch::nn::Linear c_fc{nullptr};    ///< registered as `mlp.c_fc`
  torch::nn::Linear c_proj{nullptr};  ///< registered as `mlp.c_proj`

 private:
  /// All of the second branch but c_proj.
  at::Tensor hidden(const at::Tensor& x);

  bool quick_gelu_;
  Attends attends_;
};
TORCH_MODULE(ResidualAttentionBlock);

/// A stack of residual attention blocks, `resblocks`.
class TransformerImpl : public torch::nn::Module {
 public:
  explicit TransformerImpl(const TransformerSizes& sizes);

  /// What comes out at one position of each sequence. Nothing else is asked of CLIP's transformers,
  /// so the last block is computed for that position alone.
  /// @param x  [B, L, W], overwritten where no gradient is asked for
  /// @param at [B], the positions
  /// @returns  [B, W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& at);

  std::vector<ResidualAttentionBlock> resblocks;  ///< in order
};
TORCH_MODULE(Transformer);

}  // namespace unlearn::clip
