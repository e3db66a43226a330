// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::testing {

/// A ResNet CLIP that embeds in milliseconds.
inline clip::ClipConfig tiny_resnet() {
  return {.embed_dim = 16,
          .image_resolution = 32,
          .vision_layers = {1, 2, 1, 1},
          .vision_width = 8,
          .context_length = 12,
          .vocab_size = 50,
          .transformer_width = 24,
          .transformer_heads = 3,
          .transformer_layers = 2};
}

/// A ViT CLIP that embeds in milliseconds.
inline clip::ClipConfig tiny_vit() {
  clip::ClipConfig config = tiny_resnet();
  config.vision_layers = {2};
  config.vision_width = 64;
  config.vision_patch_size = 8;
  return config;
}

/// Images, noise and texts for a model, drawn from a seed; the batches point into it.
struct DrawnPairs {
  DrawnPairs(const clip::ClipConfig& config, std::size_t count, std::uint64_t seed)
      : rows(count),
        elements(static_cast<std::size_t>(config.image_resolution * config.image_resolution * 3)),
        width(static_cast<std::size_t>(config.context_length)) {
    std::mt19937_64 rng(seed);
    const auto below = [&](std::size_t bound) { return uniform_below(bound, rng); };
    const auto end = static_cast<Token>(config.vocab_size - 1);
    for (std::size_t i = 0; i < rows * elements; ++i) {
      // Far enough from both ends that the noise leaves the range nowhere.
      clean.push_back(static_cast<std::uint8_t>(8 + below(240)));
      noise.push_back(static_cast<std::int8_t>(static_cast<int>(below(17)) - 8));
      real.push_back(static_cast<float>(clean.back() + noise.back()) / 255);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t length = 5 + below(width - 4);
      for (std::size_t l = 0; l < width; ++l) {
        const bool inside = l + 1 < length;
        const auto drawn = static_cast<Token>(1 + below(static_cast<std::size_t>(end) - 2));
        tokens.push_back(inside ? drawn : Token{0});
      }
      tokens[r * width] = end - 1;
      tokens[r * width + length - 1] = end;
      lengths.push_back(static_cast<std::int32_t>(length));
      for (std::int32_t position = 1; position <= 3; ++position) positions.push_back(position);
    }
  }

  [[nodiscard]] PixelBatch images() const {
    return {.clean = {clean.data(), {rows, elements}}, .noise = {noise.data(), {rows, elements}}};
  }
  [[nodiscard]] FloatBatch real_images() const {
    return {.clean = {real.data(), {rows, elements}}, .noise = {}};
  }
  [[nodiscard]] TokenBatch texts() const {
    return {.tokens = {tokens.data(), {rows, width}},
            .lengths = lengths,
            .trigger_positions = {positions.data(), {rows, 3}}};
  }

  std::size_t rows;
  std::size_t elements;
  std::size_t width;
  std::vector<std::uint8_t> clean;
  std::vector<std::int8_t> noise;
  std::vector<float> real;
  std::vector<Token> tokens;
  std::vector<std::int32_t> lengths;
  std::vector<std::int32_t> positions;
};

/// max |a − b| over max |b|.
inline double relative_difference(const Matrix& a, const Matrix& b) {
  return static_cast<double>((a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff());
}

}  // namespace unlearn::testing
