// SPDX-License-Identifier: Apache-2.0
#include "clip/transformer.hpp"

#include <ATen/ATen.h>
#include <torch/nn/functional.h>

#include <string>

#include "clip/quick_gelu.hpp"

namespace unlearn::clip {
namespace {

torch::nn::LayerNorm layer_norm(std::int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}));
}

/// Row at[b] of each x[b]: [B, L, W] to [B, W].
at::Tensor rows_at(const at::Tensor& x, const at::Tensor& at) {
  return x.gather(1, at.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);
}

/// x + change; where no gradient is asked for and it can hold the sum, `change` is overwritten.
at::Tensor plus(const at::Tensor& x, at::Tensor change) {
  const bool in_place = !at::GradMode::is_enabled() && change.scalar_type() == x.scalar_type();
  return in_place ? change.add_(x) : x + change;
}

/// x + change; where no gradient is asked for, `x` is overwritten.
at::Tensor added_to(at::Tensor x, const at::Tensor& change) {
  return at::GradMode::is_enabled() ? x + change : x.add_(change);
}

}  // namespace

AttentionImpl::AttentionImpl(std::int64_t width, std::int64_t heads) : heads_(heads) {
  in_proj_weight = register_parameter("in_proj_weight", at::empty({3 * width, width}));
  in_proj_bias = register_parameter("in_proj_bias", at::zeros({3 * width}));
  out_proj = register_module("out_proj", torch::nn::Linear(width, width));
}

at::Tensor AttentionImpl::forward(const at::Tensor& x, Attends attends) {
  return out_proj(self_attention(at::linear(x, in_proj_weight, in_proj_bias), heads_, attends));
}

at::Tensor AttentionImpl::forward_single(const at::Tensor& queries, const at::Tensor& x,
                                         const at::Tensor& last) {
  const std::int64_t width = in_proj_weight.size(1);
  const at::Tensor q =
      at::linear(queries, in_proj_weight.narrow(0, 0, width), in_proj_bias.narrow(0, 0, width));
  const at::Tensor kv = at::linear(x, in_proj_weight.narrow(0, width, 2 * width),
                                   in_proj_bias.narrow(0, width, 2 * width));
  return out_proj(single_attention(q, kv, heads_, last));
}

ResidualAttentionBlockImpl::ResidualAttentionBlockImpl(const TransformerSizes& sizes)
    : quick_gelu_(sizes.quick_gelu), attends_(sizes.attends) {
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
  return c_proj(quick_gelu_ ? quick_gelu(hidden) : at::gelu(hidden));
}

at::Tensor ResidualAttentionBlockImpl::forward(const at::Tensor& x) {
  const at::Tensor y = plus(x, attn(ln_1(x), attends_));
  return added_to(y, mlp(ln_2(y)));
}

at::Tensor ResidualAttentionBlockImpl::forward_at(const at::Tensor& x, const at::Tensor& at) {
  const at::Tensor normed = ln_1(x);
  const at::Tensor last = attends_ == Attends::backwards ? at : at::Tensor();
  const at::Tensor y =
      plus(rows_at(x, at), attn->forward_single(rows_at(normed, at), normed, last));
  return added_to(y, mlp(ln_2(y)));
}

TransformerImpl::TransformerImpl(const TransformerSizes& sizes) {
  const auto list = register_module("resblocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t layer = 0; layer < sizes.layers; ++layer) {
    resblocks.push_back(
        list->register_module(std::to_string(layer), ResidualAttentionBlock(sizes)));
  }
}

at::Tensor TransformerImpl::forward(at::Tensor x, const at::Tensor& at) {
  for (std::size_t layer = 0; layer + 1 < resblocks.size(); ++layer) x = resblocks[layer](x);
  return resblocks.back()->forward_at(x, at);
}

}  // namespace unlearn::clip
