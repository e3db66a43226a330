// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <array>
#include <cstdint>
#include <vector>

#include "clip/model/config.hpp"
#include "clip/model/transformer.hpp"

namespace unlearn::clip {

// Both towers take normalised images [B, 3, S, S] and give embeddings [B, D], not normalised.

/// A ResNet bottleneck whose stride is an average pool before the last convolution (anti-aliasing)
/// and, in the shortcut, before the projection.
class BottleneckImpl : public torch::nn::Module {
 public:
  static constexpr std::int64_t expansion = 4;  ///< output channels over `planes`

  BottleneckImpl(std::int64_t in_planes, std::int64_t planes, std::int64_t stride);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, conv3{nullptr};
  torch::nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  torch::nn::Conv2d shortcut{nullptr};            ///< registered as `downsample.0`; may be empty
  torch::nn::BatchNorm2d shortcut_norm{nullptr};  ///< registered as `downsample.1`; may be empty

 private:
  std::int64_t stride_;
};
TORCH_MODULE(Bottleneck);

/// Pools a feature map [B, C, h, w] by attention: its mean is the one query, its cells and the mean
/// are keys and values.
class AttentionPoolImpl : public torch::nn::Module {
 public:
  /// @param grid cells along a side: h and w
  AttentionPoolImpl(std::int64_t grid, std::int64_t channels, std::int64_t heads,
                    std::int64_t embed_dim);
  /// @returns [B, embed_dim]
  at::Tensor forward(const at::Tensor& x);

  at::Tensor positional_embedding;  ///< [grid² + 1, channels]; the mean's first
  torch::nn::Linear k_proj{nullptr}, q_proj{nullptr}, v_proj{nullptr}, c_proj{nullptr};

 private:
  std::int64_t heads_;
};
TORCH_MODULE(AttentionPool);

/// CLIP's ResNet: a stem of three convolutions and an average pool, four stages of bottlenecks,
/// pooled by attention.
/// Source: Radford et al., ICML 2021, section 2.4.
class ModifiedResNetImpl : public torch::nn::Module {
 public:
  explicit ModifiedResNetImpl(const ClipConfig& config);
  at::Tensor forward(const at::Tensor& pixels);

  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, conv3{nullptr};
  torch::nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  std::array<std::vector<Bottleneck>, 4> layers;  ///< registered as `layer1` to `layer4`
  AttentionPool attnpool{nullptr};
};
TORCH_MODULE(ModifiedResNet);

/// CLIP's ViT: patches and a class token through a transformer; the class token is projected.
/// Source: Radford et al., ICML 2021, section 2.4; Dosovitskiy et al., ICLR 2021.
class VisionTransformerImpl : public torch::nn::Module {
 public:
  explicit VisionTransformerImpl(const ClipConfig& config);
  at::Tensor forward(const at::Tensor& pixels);

  torch::nn::Conv2d conv1{nullptr};
  at::Tensor class_embedding;       ///< [W]
  at::Tensor positional_embedding;  ///< [grid² + 1, W]; the class token's first
  torch::nn::LayerNorm ln_pre{nullptr};
  Transformer transformer{nullptr};
  torch::nn::LayerNorm ln_post{nullptr};
  at::Tensor proj;  ///< [W, D]
};
TORCH_MODULE(VisionTransformer);

}  // namespace unlearn::clip
