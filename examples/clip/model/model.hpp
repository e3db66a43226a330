// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <map>
#include <string>

#include "clip/model/config.hpp"
#include "clip/model/image_towers.hpp"
#include "clip/model/transformer.hpp"

namespace unlearn::clip {

/// A CLIP model: an image tower and a text tower that embed in one space.
///
/// Parameters and buffers have OpenAI's names (`visual.conv1.weight`,
/// `transformer.resblocks.0...`). Source: Radford et al., "Learning Transferable Visual Models From
/// Natural Language Supervision", ICML 2021, and OpenAI's release of it.
class ClipImpl : public torch::nn::Module {
 public:
  /// Draws the weights as CLIP does (section 2.5 and the release's `initialize_parameters`; what
  /// that leaves alone as PyTorch does), from `seed` alone.
  /// @throws InvalidArgument when the configuration makes no model.
  ClipImpl(const ClipConfig& config, std::uint64_t seed);

  /// @param pixels [B, 3, S, S], normalised
  /// @returns      [B, D], not normalised
  at::Tensor encode_images(const at::Tensor& pixels);

  /// @param tokens [R, L], L at most the context length; padded with 0
  /// @returns      [R, D], not normalised
  at::Tensor encode_texts(const at::Tensor& tokens);

  /// encode_texts() from the token embeddings on.
  /// @param embedded [R, L, W] rows of the token embedding table
  /// @param ends     [R] where each text is read off
  at::Tensor encode_embedded(const at::Tensor& embedded, const at::Tensor& ends);

  /// Where CLIP reads a text off: the first position of the largest id, which is the end token's.
  /// @param tokens [R, L]
  /// @returns      [R]
  [[nodiscard]] static at::Tensor ends_of(const at::Tensor& tokens) { return tokens.argmax(1); }

  /// Gives a model without a bias what SigLIP's loss learns: the bias −10 and, as one belongs to
  /// the other, the logit scale 10, whatever it was. Does nothing to a model that has a bias.
  ///
  /// An optimiser that was made before does not know of it.
  /// Source: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, section 3.2.
  void add_logit_bias();

  /// The sizes it was built from.
  [[nodiscard]] const ClipConfig& config() const { return config_; }

  ModifiedResNet resnet{nullptr};                 ///< `visual`, or empty
  VisionTransformer vision_transformer{nullptr};  ///< `visual`, or empty
  torch::nn::Embedding token_embedding{nullptr};  ///< [V, W]
  at::Tensor positional_embedding;                ///< [context, W]
  Transformer transformer{nullptr};               ///< of the text tower, causal
  torch::nn::LayerNorm ln_final{nullptr};
  at::Tensor text_projection;  ///< [W, D]
  at::Tensor logit_scale;      ///< scalar: s of exp(s)
  at::Tensor logit_bias;  ///< scalar: added to every scaled similarity; undefined in CLIP's own

 private:
  ClipConfig config_;
};
TORCH_MODULE(Clip);

/// Tensors by name, in the order of the names.
using StateDict = std::map<std::string, at::Tensor, std::less<>>;

/// All parameters and buffers of a model under OpenAI's names. They share the model's memory.
[[nodiscard]] StateDict state_dict(const torch::nn::Module& model);

}  // namespace unlearn::clip
