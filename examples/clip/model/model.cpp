// SPDX-License-Identifier: Apache-2.0
#include "clip/model/model.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/init.h>
#include <torch/utils.h>

#include <cmath>

#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

/// Draws every weight of a new model from one generator: the initial values that LibTorch's modules
/// give themselves come from a generator of the whole program.
class Initializer {
 public:
  explicit Initializer(std::uint64_t seed)
      : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

  void operator()(ClipImpl& clip) {
    if (!clip.resnet.is_empty()) {
      resnet(*clip.resnet);
    } else {
      vision_transformer(*clip.vision_transformer);
    }
    normal(clip.token_embedding->weight, 0.02);
    normal(clip.positional_embedding, 0.01);
    const auto width = static_cast<double>(clip.config().transformer_width);
    const auto layers = static_cast<double>(clip.config().transformer_layers);
    for (auto& block : clip.transformer->resblocks) {
      default_biases(*block);
      normal(block->attn->in_proj_weight, 1 / std::sqrt(width));
      normal(block->attn->out_proj->weight, 1 / std::sqrt(width * 2 * layers));
      normal(block->c_fc->weight, 1 / std::sqrt(2 * width));
      normal(block->c_proj->weight, 1 / std::sqrt(width * 2 * layers));
    }
    normal(clip.text_projection, 1 / std::sqrt(width));
    clip.logit_scale.fill_(std::log(1 / 0.07));
  }

 private:
  void normal(at::Tensor& weight, double deviation) { weight.normal_(0, deviation, generator_); }

  void uniform(at::Tensor& weight, double bound) { weight.uniform_(-bound, bound, generator_); }

  /// PyTorch's own for linear maps and convolutions: uniform within ±1/√(fan in).
  void by_fan_in(at::Tensor& weight) {
    const auto fan_in = static_cast<double>(weight[0].numel());
    uniform(weight, 1 / std::sqrt(fan_in));
  }

  void by_fan_in(torch::nn::Linear& linear) {
    by_fan_in(linear->weight);
    bias(linear);
  }

  void bias(torch::nn::Linear& linear) {
    uniform(linear->bias, 1 / std::sqrt(static_cast<double>(linear->weight.size(1))));
  }

  void default_biases(ResidualAttentionBlockImpl& block) {
    block.attn->in_proj_bias.zero_();
    block.attn->out_proj->bias.zero_();
    bias(block.c_fc);
    bias(block.c_proj);
  }

  void resnet(ModifiedResNetImpl& tower) {
    for (auto* conv : {&tower.conv1, &tower.conv2, &tower.conv3}) by_fan_in((*conv)->weight);
    for (auto& stage : tower.layers) {
      for (auto& block : stage) {
        for (auto* conv : {&block->conv1, &block->conv2, &block->conv3, &block->shortcut}) {
          if (!conv->is_empty()) by_fan_in((*conv)->weight);
        }
        // Every block starts as its shortcut.
        block->bn3->weight.zero_();
      }
    }
    AttentionPoolImpl& pool = *tower.attnpool;
    const double deviation = 1 / std::sqrt(static_cast<double>(pool.c_proj->weight.size(1)));
    normal(pool.positional_embedding, deviation);
    for (auto* linear : {&pool.q_proj, &pool.k_proj, &pool.v_proj, &pool.c_proj}) {
      normal((*linear)->weight, deviation);
      bias(*linear);
    }
  }

  void vision_transformer(VisionTransformerImpl& tower) {
    const double deviation = 1 / std::sqrt(static_cast<double>(tower.proj.size(0)));
    by_fan_in(tower.conv1->weight);
    normal(tower.class_embedding, deviation);
    normal(tower.positional_embedding, deviation);
    normal(tower.proj, deviation);
    for (auto& block : tower.transformer->resblocks) {
      default_biases(*block);
      at::Tensor& in_proj = block->attn->in_proj_weight;
      uniform(in_proj, std::sqrt(6.0 / static_cast<double>(in_proj.size(0) + in_proj.size(1))));
      by_fan_in(block->attn->out_proj->weight);
      by_fan_in(block->c_fc->weight);
      by_fan_in(block->c_proj->weight);
    }
  }

  at::Generator generator_;
};

}  // namespace

ClipImpl::ClipImpl(const ClipConfig& config, std::uint64_t seed) : config_(config) {
  config.validate();
  if (config.is_resnet()) {
    resnet = register_module("visual", ModifiedResNet(config));
  } else {
    vision_transformer = register_module("visual", VisionTransformer(config));
  }
  const std::int64_t width = config.transformer_width;
  token_embedding =
      register_module("token_embedding", torch::nn::Embedding(config.vocab_size, width));
  positional_embedding =
      register_parameter("positional_embedding", at::empty({config.context_length, width}));
  transformer = register_module("transformer",
                                Transformer(TransformerSizes{.width = width,
                                                             .heads = config.transformer_heads,
                                                             .layers = config.transformer_layers,
                                                             .quick_gelu = config.quick_gelu,
                                                             .attends = Attends::backwards}));
  ln_final =
      register_module("ln_final", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
  text_projection = register_parameter("text_projection", at::empty({width, config.embed_dim}));
  logit_scale = register_parameter("logit_scale", at::empty({}));
  const torch::NoGradGuard no_gradient;
  Initializer{seed}(*this);
  if (config.logit_bias) add_logit_bias();
  eval();
}

void ClipImpl::add_logit_bias() {
  if (logit_bias.defined()) return;
  const torch::NoGradGuard no_gradient;
  logit_scale.fill_(std::log(10.0));
  logit_bias = register_parameter("logit_bias", at::full_like(logit_scale, -10.0));
  config_.logit_bias = true;
}

at::Tensor ClipImpl::encode_images(const at::Tensor& pixels) {
  const std::int64_t side = config_.image_resolution;
  const bool fits =
      pixels.dim() == 4 && pixels.size(1) == 3 && pixels.size(2) == side && pixels.size(3) == side;
  const std::string sides = std::to_string(side);
  require(fits, "images given to a CLIP model", "[B, 3, " + sides + ", " + sides + "]",
          c10::str(pixels.sizes()));
  return resnet.is_empty() ? vision_transformer(pixels) : resnet(pixels);
}

at::Tensor ClipImpl::encode_texts(const at::Tensor& tokens) {
  return encode_embedded(token_embedding(tokens), ends_of(tokens));
}

at::Tensor ClipImpl::encode_embedded(const at::Tensor& embedded, const at::Tensor& ends) {
  const std::int64_t length = embedded.size(1);
  require(length <= config_.context_length, "tokens of a text given to a CLIP model",
          "at most " + std::to_string(config_.context_length), length);
  const at::Tensor x = embedded + positional_embedding.narrow(0, 0, length);
  return ln_final(transformer(x, ends)).matmul(text_projection);
}

StateDict state_dict(const torch::nn::Module& model) {
  StateDict tensors;
  for (const auto& entry : model.named_parameters()) tensors.emplace(entry.key(), entry.value());
  for (const auto& entry : model.named_buffers()) tensors.emplace(entry.key(), entry.value());
  return tensors;
}

}  // namespace unlearn::clip
