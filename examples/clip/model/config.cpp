// SPDX-License-Identifier: Apache-2.0
#include "clip/model/config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

struct NamedConfig {
  std::string_view name;
  ClipConfig config;
};

/// The text tower of the small models: short captions, 128 wide.
ClipConfig small() {
  return {.embed_dim = 256,
          .image_resolution = 64,
          .transformer_width = 128,
          .transformer_heads = 2,
          .transformer_layers = 3};
}

ClipConfig small_resnet(std::vector<std::int64_t> layers) {
  ClipConfig config = small();
  config.vision_layers = std::move(layers);
  config.vision_width = 24;
  return config;
}

ClipConfig small_vit() {
  ClipConfig config = small();
  config.vision_layers = {4};
  config.vision_width = 192;
  config.vision_patch_size = 8;
  return config;
}

ClipConfig openai(std::int64_t embed_dim, std::vector<std::int64_t> vision_layers,
                  std::int64_t vision_width, std::optional<std::int64_t> patch) {
  return {.embed_dim = embed_dim,
          .image_resolution = 224,
          .vision_layers = std::move(vision_layers),
          .vision_width = vision_width,
          .vision_patch_size = patch,
          .transformer_width = 512,
          .transformer_heads = 8,
          .transformer_layers = 12};
}

const std::array<NamedConfig, 6>& named_configs() {
  static const std::array<NamedConfig, 6> configs{{
      {"RN50", openai(1024, {3, 4, 6, 3}, 64, {})},
      {"RN101", openai(512, {3, 4, 23, 3}, 64, {})},
      {"ViT-B-32", openai(512, {12}, 768, 32)},
      {"rn-small", small_resnet({1, 1, 1, 1})},
      {"rn-small-deep", small_resnet({2, 2, 3, 2})},
      {"vit-small", small_vit()},
  }};
  return configs;
}

/// A size that no model of this kind comes near; keeps products of sizes far from overflow.
constexpr std::int64_t largest = 1 << 20;

void require_size_in_range(std::string_view field, std::int64_t size) {
  require(size >= 1 && size <= largest, std::string("CLIP configuration, ").append(field),
          "1 to " + std::to_string(largest), size);
}

void require_divides(std::string_view field, std::int64_t size, std::int64_t divisor) {
  require(divisor > 0 && size % divisor == 0, std::string("CLIP configuration, ").append(field),
          "a multiple of " + std::to_string(divisor), size);
}

/// How many consecutive numbers, from 0 on, stand behind `prefix` in the weights' names.
std::int64_t count_blocks(const WeightShapes& weights, const std::string& prefix) {
  std::int64_t count = 0;
  while (true) {
    const std::string block = prefix + std::to_string(count) + ".";
    const auto next = weights.lower_bound(block);
    if (next == weights.end() || !next->first.starts_with(block)) return count;
    ++count;
  }
}

const std::vector<std::int64_t>& shape_of(const WeightShapes& weights, const std::string& name,
                                          std::size_t rank) {
  const auto found = weights.find(name);
  require(found != weights.end(), "weights of a CLIP model", "a tensor '" + name + "'",
          "none of that name");
  require(found->second.size() == rank, "dimensions of the weight '" + name + "'", rank,
          found->second.size());
  return found->second;
}

/// The side of a square of `cells` cells, beside which one more position stands.
std::int64_t grid_of(std::int64_t positions, const std::string& name) {
  const auto side = std::llround(std::sqrt(static_cast<double>(positions - 1)));
  require(side >= 1 && side * side + 1 == positions, "rows of the weight '" + name + "'",
          "a square number and 1", positions);
  return side;
}

}  // namespace

void ClipConfig::validate() const {
  require_size_in_range("embed_dim", embed_dim);
  require_size_in_range("image_resolution", image_resolution);
  require_size_in_range("vision_width", vision_width);
  require_size_in_range("context_length", context_length);
  require_size_in_range("vocab_size", vocab_size);
  require_size_in_range("transformer_width", transformer_width);
  require_size_in_range("transformer_heads", transformer_heads);
  require_size_in_range("transformer_layers", transformer_layers);
  require_divides("transformer_width", transformer_width, transformer_heads);
  require_size("CLIP configuration, vision_layers", is_resnet() ? 4 : 1, vision_layers.size());
  for (const std::int64_t layers : vision_layers) require_size_in_range("vision_layers", layers);
  if (is_resnet()) {
    require_divides("vision_width", vision_width, 2);
    require_divides("image_resolution", image_resolution, 32);
  } else {
    require_size_in_range("vision_patch_size", *vision_patch_size);
    require_divides("vision_width", vision_width, 64);
    require_divides("image_resolution", image_resolution, *vision_patch_size);
  }
}

std::span<const std::string_view> config_names() {
  static const auto names = [] {
    std::array<std::string_view, std::tuple_size_v<std::decay_t<decltype(named_configs())>>> all{};
    std::ranges::transform(named_configs(), all.begin(), &NamedConfig::name);
    return all;
  }();
  return names;
}

ClipConfig named_config(std::string_view name) {
  std::string all;
  for (const auto& [known, config] : named_configs()) {
    if (known == name) return config;
    all.append(all.empty() ? "one of " : ", ").append(known);
  }
  throw InvalidArgument(expectation("model", all, std::string("'").append(name) + "'"));
}

ClipConfig at_resolution(ClipConfig config, std::int64_t resolution) {
  config.image_resolution = resolution;
  config.validate();
  return config;
}

ClipConfig parse_config(const std::string& text) {
  ClipConfig config;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    json.at("embed_dim").get_to(config.embed_dim);
    json.at("image_resolution").get_to(config.image_resolution);
    const nlohmann::json& layers = json.at("vision_layers");
    if (layers.is_array()) {
      layers.get_to(config.vision_layers);
    } else {
      config.vision_layers = {layers.get<std::int64_t>()};
    }
    json.at("vision_width").get_to(config.vision_width);
    if (const nlohmann::json& patch = json.at("vision_patch_size"); !patch.is_null()) {
      config.vision_patch_size = patch.get<std::int64_t>();
    }
    json.at("context_length").get_to(config.context_length);
    json.at("vocab_size").get_to(config.vocab_size);
    json.at("transformer_width").get_to(config.transformer_width);
    json.at("transformer_heads").get_to(config.transformer_heads);
    json.at("transformer_layers").get_to(config.transformer_layers);
    config.quick_gelu = json.value("quick_gelu", true);
    config.logit_bias = json.value("logit_bias", false);
  } catch (const nlohmann::json::exception& error) {
    throw InvalidArgument(
        expectation("CLIP configuration", "a JSON object of its sizes", error.what()));
  }
  config.validate();
  return config;
}

ClipConfig read_config(const std::string& path) {
  const std::string file = "file '" + path + "'";
  std::ifstream in(path);
  if (!in) throw FileError(expectation(file, "to open it", "an error"));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    return parse_config(text);
  } catch (const InvalidArgument& error) {
    throw FileError(file + ", " + error.what());
  }
}

ClipConfig infer_config(const WeightShapes& weights) {
  const auto size = [&](const std::string& name, std::size_t rank, std::size_t dimension) {
    return shape_of(weights, name, rank)[dimension];
  };
  ClipConfig config;
  config.logit_bias = weights.contains("logit_bias");
  config.embed_dim = size("text_projection", 2, 1);
  config.context_length = size("positional_embedding", 2, 0);
  config.vocab_size = size("token_embedding.weight", 2, 0);
  config.transformer_width = size("token_embedding.weight", 2, 1);
  config.transformer_heads = std::max<std::int64_t>(config.transformer_width / 64, 1);
  config.transformer_layers = count_blocks(weights, "transformer.resblocks.");
  if (weights.contains("visual.proj")) {
    const std::string positions = "visual.positional_embedding";
    config.vision_layers = {count_blocks(weights, "visual.transformer.resblocks.")};
    config.vision_width = size("visual.conv1.weight", 4, 0);
    config.vision_patch_size = size("visual.conv1.weight", 4, 3);
    config.image_resolution = *config.vision_patch_size * grid_of(size(positions, 2, 0), positions);
  } else {
    const std::string positions = "visual.attnpool.positional_embedding";
    for (int stage = 1; stage <= 4; ++stage) {
      config.vision_layers.push_back(
          count_blocks(weights, "visual.layer" + std::to_string(stage) + "."));
    }
    config.vision_width = size("visual.layer1.0.conv1.weight", 4, 0);
    config.image_resolution = 32 * grid_of(size(positions, 2, 0), positions);
  }
  config.validate();
  return config;
}

}  // namespace unlearn::clip
