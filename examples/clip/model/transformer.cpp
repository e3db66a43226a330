// SPDX-License-Identifier: Apache-2.0
#include "clip/model/transformer.hpp"

#include <ATen/ATen.h>
#include <torch/nn/functional.h>

#include <string>

#include "clip/kernels/quick_gelu.hpp"

namespace unlearn::clip {
namespace {

torch::nn::LayerNorm layer_norm(std::int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}));
}

/// Row at[b] of each x[b]: [B, L, W] to [B, W].
at::Tensor rows_at(const at::Tensor& x, const at::Tensor& at) {
  return x.gather(1, at.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);
}

}  // namespace

AttentionImpl::AttentionImpl(std::int64_t width, std::int64_t heads) : heads_(heads) {
  in_proj_weight = register_parameter("in_proj_weight", at::empty({3 * width, width}));
  in_proj_bias = register_parameter("in_proj_bias", at::zeros({3 * width}));
  out_proj = register_module("out_proj", torch::nn::Linear(width, width));
}

at::Tensor AttentionImpl::forward(const at::Tensor& x, Attends attends) {
  const bool bias_apart =
      !at::GradMode::is_enabled() && x.device().is_cpu() && x.scalar_type() == at::kBFloat16;
  return bias_apart ? self_attention(at::linear(x, in_proj_weight), in_proj_bias, heads_, attends)
                    : self_attention(at::linear(x, in_proj_weight, in_proj_bias), heads_, attends);
}

at::Tensor AttentionImpl::forward_single(const at::Tensor& queries, const at::Tensor& x,
                                         const at::Tensor& last) {
  const std::int64_t width = in_proj_weight.size(1);
  const at::Tensor q =
      at::linear(queries, in_proj_weight.narrow(0, 0, width), in_proj_bias.narrow(0, 0, width));
  const at::Tensor kv = at::linear(x, in_proj_weight.narrow(0, width, 2 * width),
                                   in_proj_bias.narrow(0, width, 2 * width));
  return single_attention(q, kv, heads_, last);
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

at::Tensor ResidualAttentionBlockImpl::hidden(const at::Tensor& x) {
  if (!quick_gelu_) return at::gelu(c_fc(x));
  const bool with_bias = at::GradMode::is_enabled() || !x.device().is_cpu();
  return with_bias ? quick_gelu(c_fc(x)) : quick_gelu(at::linear(x, c_fc->weight), c_fc->bias);
}

void ResidualAttentionBlockImpl::forward(ResidualStream& x) {
  x.add(attn->out_proj, attn(x.normed(ln_1), attends_));
  x.add(c_proj, hidden(x.normed(ln_2)));
}

at::Tensor ResidualAttentionBlockImpl::forward_at(ResidualStream& x, const at::Tensor& at) {
  const at::Tensor normed = x.normed(ln_1);
  const at::Tensor last = attends_ == Attends::backwards ? at : at::Tensor();
  ResidualStream y(rows_at(x.sum(), at));
  y.add(attn->out_proj, attn->forward_single(rows_at(normed, at), normed, last));
  y.add(c_proj, hidden(y.normed(ln_2)));
  return y.sum();
}

TransformerImpl::TransformerImpl(const TransformerSizes& sizes) {
  const auto list = register_module("resblocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t layer = 0; layer < sizes.layers; ++layer) {
    resblocks.push_back(
        list->register_module(std::to_string(layer), ResidualAttentionBlock(sizes)));
  }
}

at::Tensor TransformerImpl::forward(const at::Tensor& x, const at::Tensor& at) {
  ResidualStream stream(x);
  for (std::size_t layer = 0; layer + 1 < resblocks.size(); ++layer) {
    resblocks[layer]->forward(stream);
  }
  return resblocks.back()->forward_at(stream, at);
}

}  // namespace unlearn::clip
