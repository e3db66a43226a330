// SPDX-License-Identifier: Apache-2.0
#include "clip/model/image_towers.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <string>

namespace unlearn::clip {
namespace {

torch::nn::Conv2d point_wise(std::int64_t in, std::int64_t out) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1).bias(false));
}

torch::nn::Conv2d three_by_three(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
}

/// norm(convolution(x)). In evaluation the norm is a fixed map of each channel: it is folded into
/// the filters, which saves its passes over the activations, forward and backward.
at::Tensor convolved(torch::nn::Conv2d& convolution, torch::nn::BatchNorm2d& norm,
                     const at::Tensor& x) {
  if (norm->is_training()) return norm(convolution(x));
  const at::Tensor scale = norm->weight * (norm->running_var + norm->options.eps()).rsqrt();
  const auto& options = convolution->options;
  // The type of options.padding() is not the same in LibTorch 1 and 2.
  return at::conv2d(x, convolution->weight * scale.view({-1, 1, 1, 1}),
                    norm->bias - norm->running_mean * scale, options.stride(),
                    options.kernel_size()->at(0) == 3 ? 1 : 0);
}

}  // namespace

BottleneckImpl::BottleneckImpl(std::int64_t in_planes, std::int64_t planes, std::int64_t stride)
    : stride_(stride) {
  conv1 = register_module("conv1", point_wise(in_planes, planes));
  bn1 = register_module("bn1", torch::nn::BatchNorm2d(planes));
  conv2 = register_module("conv2", three_by_three(planes, planes));
  bn2 = register_module("bn2", torch::nn::BatchNorm2d(planes));
  conv3 = register_module("conv3", point_wise(planes, planes * expansion));
  bn3 = register_module("bn3", torch::nn::BatchNorm2d(planes * expansion));
  if (stride == 1 && in_planes == planes * expansion) return;
  shortcut = point_wise(in_planes, planes * expansion);
  shortcut_norm = torch::nn::BatchNorm2d(planes * expansion);
  const auto downsample = register_module("downsample", std::make_shared<torch::nn::Module>());
  downsample->register_module("0", shortcut);
  downsample->register_module("1", shortcut_norm);
}

at::Tensor BottleneckImpl::forward(const at::Tensor& x) {
  const auto pooled = [&](const at::Tensor& map) {
    return stride_ > 1 ? at::avg_pool2d(map, stride_) : map;
  };
  at::Tensor out = convolved(conv1, bn1, x).relu_();
  out = convolved(conv2, bn2, out).relu_();
  out = convolved(conv3, bn3, pooled(out));
  out += shortcut.is_empty() ? x : convolved(shortcut, shortcut_norm, pooled(x));
  return out.relu_();
}

AttentionPoolImpl::AttentionPoolImpl(std::int64_t grid, std::int64_t channels, std::int64_t heads,
                                     std::int64_t embed_dim)
    : heads_(heads) {
  positional_embedding =
      register_parameter("positional_embedding", at::empty({grid * grid + 1, channels}));
  k_proj = register_module("k_proj", torch::nn::Linear(channels, channels));
  q_proj = register_module("q_proj", torch::nn::Linear(channels, channels));
  v_proj = register_module("v_proj", torch::nn::Linear(channels, channels));
  c_proj = register_module("c_proj", torch::nn::Linear(channels, embed_dim));
}

at::Tensor AttentionPoolImpl::forward(const at::Tensor& x) {
  const at::Tensor cells = x.flatten(2).transpose(1, 2);  // [B, h·w, C]
  const at::Tensor tokens =
      at::cat({cells.mean(1, /*keepdim=*/true), cells}, 1) + positional_embedding;
  const std::int64_t depth = tokens.size(2) / heads_;
  const auto by_head = [&](const at::Tensor& y) {
    return y.unflatten(-1, {heads_, depth}).transpose(1, 2);
  };
  const at::Tensor query =
      by_head(q_proj(tokens.narrow(1, 0, 1)) * (1 / std::sqrt(static_cast<double>(depth))));
  const at::Tensor scores = query.matmul(by_head(k_proj(tokens)).transpose(-2, -1));
  const at::Tensor mixed = scores.softmax(-1).matmul(by_head(v_proj(tokens)));
  return c_proj(mixed.transpose(1, 2).flatten(1));
}

ModifiedResNetImpl::ModifiedResNetImpl(const ClipConfig& config) {
  const std::int64_t width = config.vision_width;
  conv1 = register_module("conv1", three_by_three(3, width / 2, /*stride=*/2));
  bn1 = register_module("bn1", torch::nn::BatchNorm2d(width / 2));
  conv2 = register_module("conv2", three_by_three(width / 2, width / 2));
  bn2 = register_module("bn2", torch::nn::BatchNorm2d(width / 2));
  conv3 = register_module("conv3", three_by_three(width / 2, width));
  bn3 = register_module("bn3", torch::nn::BatchNorm2d(width));
  std::int64_t in_planes = width;
  for (std::size_t stage = 0; stage < layers.size(); ++stage) {
    const std::int64_t planes = width << stage;
    const auto list =
        register_module("layer" + std::to_string(stage + 1), std::make_shared<torch::nn::Module>());
    for (std::int64_t block = 0; block < config.vision_layers[stage]; ++block) {
      const std::int64_t stride = block == 0 && stage > 0 ? 2 : 1;
      layers[stage].push_back(
          list->register_module(std::to_string(block), Bottleneck(in_planes, planes, stride)));
      in_planes = planes * BottleneckImpl::expansion;
    }
  }
  attnpool = register_module("attnpool", AttentionPool(config.vision_grid(), in_planes,
                                                       config.vision_heads(), config.embed_dim));
}

at::Tensor ModifiedResNetImpl::forward(const at::Tensor& pixels) {
  at::Tensor x = convolved(conv1, bn1, pixels).relu_();
  x = convolved(conv2, bn2, x).relu_();
  x = at::avg_pool2d(convolved(conv3, bn3, x).relu_(), 2);
  for (auto& stage : layers) {
    for (auto& block : stage) x = block(x);
  }
  return attnpool(x);
}

VisionTransformerImpl::VisionTransformerImpl(const ClipConfig& config) {
  const std::int64_t width = config.vision_width;
  const std::int64_t patch = *config.vision_patch_size;
  const std::int64_t positions = config.vision_grid() * config.vision_grid() + 1;
  conv1 = register_module(
      "conv1",
      torch::nn::Conv2d(torch::nn::Conv2dOptions(3, width, patch).stride(patch).bias(false)));
  class_embedding = register_parameter("class_embedding", at::empty({width}));
  positional_embedding = register_parameter("positional_embedding", at::empty({positions, width}));
  const torch::nn::LayerNormOptions norm({width});
  ln_pre = register_module("ln_pre", torch::nn::LayerNorm(norm));
  transformer = register_module("transformer",
                                Transformer(TransformerSizes{.width = width,
                                                             .heads = config.vision_heads(),
                                                             .layers = config.vision_layers[0],
                                                             .quick_gelu = config.quick_gelu}));
  ln_post = register_module("ln_post", torch::nn::LayerNorm(norm));
  proj = register_parameter("proj", at::empty({width, config.embed_dim}));
}

at::Tensor VisionTransformerImpl::forward(const at::Tensor& pixels) {
  const at::Tensor patches = conv1(pixels).flatten(2).transpose(1, 2);  // [B, grid², W]
  const std::int64_t batch = patches.size(0);
  const at::Tensor tokens =
      at::cat({class_embedding.expand({batch, 1, -1}), patches}, 1) + positional_embedding;
  const at::Tensor first = at::zeros({batch}, tokens.options().dtype(at::kLong));
  return ln_post(transformer(ln_pre(tokens), first)).matmul(proj);
}

}  // namespace unlearn::clip
