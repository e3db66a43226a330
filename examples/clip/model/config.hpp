// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unlearn::clip {

/// The sizes that a CLIP model is built from, named as in OpenAI's release.
/// Source: Radford et al., "Learning Transferable Visual Models From Natural Language
/// Supervision", ICML 2021, section 2.4 and tables 19 and 20.
struct ClipConfig {
  std::int64_t embed_dim = 0;         ///< D, the width of the common space
  std::int64_t image_resolution = 0;  ///< images are square, with sides of so many pixels
  /// Blocks of the image tower: of the four stages of a ResNet, or (one number) of a ViT.
  std::vector<std::int64_t> vision_layers{};
  std::int64_t vision_width = 0;  ///< channels after a ResNet's stem; a ViT's width
  /// Sides of a ViT's patches, in pixels; none for a ResNet.
  std::optional<std::int64_t> vision_patch_size{};
  std::int64_t context_length = 77;  ///< tokens of a text at most, start and end included
  std::int64_t vocab_size = 49'408;
  std::int64_t transformer_width = 0;  ///< of the text tower, and of its token embeddings
  std::int64_t transformer_heads = 0;
  std::int64_t transformer_layers = 0;
  /// x·sigmoid(1.702 x), as in OpenAI's weights; else the exact GELU, as in many of open_clip's.
  /// The shapes of the weights do not tell.
  bool quick_gelu = true;
  /// Whether the model learns a bias on its similarities beside their scale, as SigLIP's do.
  bool logit_bias = false;

  /// Whether the image tower is a ModifiedResNet; else it is a ViT.
  [[nodiscard]] bool is_resnet() const { return !vision_patch_size.has_value(); }
  /// Attention heads of the image tower: 64 numbers each, as in OpenAI's models.
  [[nodiscard]] std::int64_t vision_heads() const {
    return is_resnet() ? vision_width * 32 / 64 : vision_width / 64;
  }
  /// Cells along a side of the last feature map: what is attended to is their square.
  [[nodiscard]] std::int64_t vision_grid() const {
    return image_resolution / (is_resnet() ? 32 : *vision_patch_size);
  }

  /// @throws InvalidArgument that names the field when the sizes make no model.
  void validate() const;

  friend bool operator==(const ClipConfig&, const ClipConfig&) = default;
};

/// The names that `named_config` knows, in the order of a menu.
[[nodiscard]] std::span<const std::string_view> config_names();

/// A configuration by name: OpenAI's `RN50`, `RN101` and `ViT-B-32`, and small ones for work on a
/// CPU (`rn-small`, `rn-small-deep`, `vit-small`, at 64 × 64 pixels).
/// @throws InvalidArgument that lists the names there are.
[[nodiscard]] ClipConfig named_config(std::string_view name);

/// The same model for images of another size: as many pixels a side as `resolution`.
/// @throws InvalidArgument when the image tower cannot take it.
[[nodiscard]] ClipConfig at_resolution(ClipConfig config, std::int64_t resolution);

/// Reads a JSON object with the fields of ClipConfig under their names.
/// @throws FileError when it cannot be read, a field is missing or of another type, or the sizes
///         make no model.
[[nodiscard]] ClipConfig read_config(const std::string& path);

/// The same from a text.
/// @throws InvalidArgument
[[nodiscard]] ClipConfig parse_config(const std::string& json);

/// The shape of each weight, by its name in OpenAI's release.
using WeightShapes = std::map<std::string, std::vector<std::int64_t>, std::less<>>;

/// The configuration that weights of these shapes belong to. Heads leave no trace in shapes: there
/// are as many as OpenAI's models have, one for each 64 numbers and at least one.
/// @throws InvalidArgument that names the weight which is missing or of an unexpected shape.
[[nodiscard]] ClipConfig infer_config(const WeightShapes& weights);

}  // namespace unlearn::clip
