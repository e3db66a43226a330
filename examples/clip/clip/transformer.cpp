// SPDX-License-Identifier: Apache-2.0
#include "clip/transformer.hpp"

#include <ATen/ATen.h>
#include <torch/nn/functional.h>

#include <cmath>
#include <string>

namespace unlearn::clip {
namespace {

torch::nn::LayerNorm layer_norm(std::int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}));
}

/// Row at[b] of each x[b]: [B, L, W] to [B, 1, W].
at::Tensor rows_at(const at::Tensor& x, const at::Tensor& at) {
  return x.gather(1, at.view({-1, 1, 1}).expand({-1, 1, x.size(2)}));
}

}  // namespace

AttentionImpl::AttentionImpl(std::int64_t width, std::int64_t heads) : heads_(heads) {
  in_proj_weight = register_parameter("in_proj_weight", at::empty({3 * width, width}));
  in_proj_bias = register_parameter("in_proj_bias", at::zeros({3 * width}));
  out_proj = register_module("out_proj", torch::nn::Linear(width, width));
}

at::Tensor AttentionImpl::forward(const at::Tensor& queries, const at::Tensor& tokens,
                                  const at::Tensor& mask) {
  const std::int64_t width = in_proj_weight.size(1);
  const std::int64_t depth = width / heads_;
  const auto by_head = [&](const at::Tensor& x) {
    return x.unflatten(-1, {heads_, depth}).transpose(1, 2);  // [B, H, ·, W/H]
  };
  at::Tensor q;
  at::Tensor k;
  at::Tensor v;
  if (queries.is_same(tokens)) {
    const auto qkv = at::linear(tokens, in_proj_weight, in_proj_bias).chunk(3, -1);
    q = qkv[0], k = qkv[1], v = qkv[2];
  } else {
    q = at::linear(queries, in_proj_weight.narrow(0, 0, width), in_proj_bias.narrow(0, 0, width));
    const auto kv = at::linear(tokens, in_proj_weight.narrow(0, width, 2 * width),
                               in_proj_bias.narrow(0, width, 2 * width))
                        .chunk(2, -1);
    k = kv[0], v = kv[1];
  }
  q = by_head(q * (1 / std::sqrt(static_cast<double>(depth))));
  at::Tensor scores = q.matmul(by_head(k).transpose(-2, -1));
  if (mask.defined()) scores = scores + mask;
  const at::Tensor mixed = scores.softmax(-1).matmul(by_head(v));
  return out_proj(mixed.transpose(1, 2).flatten(2));
}

ResidualAttentionBlockImpl::ResidualAttentionBlockImpl(const TransformerSizes& sizes)
    : quick_gelu_(sizes.quick_gelu) {
  const std::int64_t width = sizes.width;
  ln_1 = register_module("ln_1", layer_norm(width));
  attn = register_module("attn", Attention(width, sizes.heads));
  ln_2 = register_module("ln_2", layer_norm(width));
  c_fc = torch::nn::Linear(width, 4 * width);
  c_proj = torch::nn::Linear(4 * width, width);
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  mlp->register_module("c_fc", c_fc);
  mlp->register_module("c_proj", c_proj);
}

at::Tensor ResidualAttentionBlockImpl::mlp(const at::Tensor& x) {
  const at::Tensor hidden = c_fc(x);
  return c_proj(quick_gelu_ ? hidden * (1.702 * hidden).sigmoid() : at::gelu(hidden));
}

at::Tensor ResidualAttentionBlockImpl::forward(const at::Tensor& x, const at::Tensor& mask) {
  const at::Tensor normed = ln_1(x);
  const at::Tensor y = x + attn(normed, normed, mask);
  return y + mlp(ln_2(y));
}

at::Tensor ResidualAttentionBlockImpl::forward_at(const at::Tensor& x, const at::Tensor& mask,
                                                  const at::Tensor& at) {
  const at::Tensor normed = ln_1(x);
  // Each query has the mask's row of its own position: [B, 1, 1, L].
  const at::Tensor row =
      mask.defined() ? mask.index_select(0, at).view({-1, 1, 1, x.size(1)}) : mask;
  const at::Tensor y = rows_at(x, at) + attn(rows_at(normed, at), normed, row);
  return (y + mlp(ln_2(y))).squeeze(1);
}

TransformerImpl::TransformerImpl(const TransformerSizes& sizes) {
  const auto list = register_module("resblocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t layer = 0; layer < sizes.layers; ++layer) {
    resblocks.push_back(
        list->register_module(std::to_string(layer), ResidualAttentionBlock(sizes)));
  }
}

at::Tensor TransformerImpl::forward(at::Tensor x, const at::Tensor& mask, const at::Tensor& at) {
  for (std::size_t layer = 0; layer + 1 < resblocks.size(); ++layer) x = resblocks[layer](x, mask);
  return resblocks.back()->forward_at(x, mask, at);
}

}  // namespace unlearn::clip
