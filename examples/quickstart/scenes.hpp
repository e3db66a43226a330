// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "unlearn/unlearn.hpp"

/// Images of patchwork with captions, made from a seed: "dice-sky twill-sea bar-sand check-wood".
///
/// An image has four patches, each faintly woven in one of eight patterns, in either polarity,
/// under grain. The caption names the pattern of every patch. Polarity makes the patterns hard:
/// averaged over images each is plain grey, so no linear function of the pixels tells them apart.
/// A model of unlearn::PairSource.
class Scenes {
 public:
  using sample_type = std::uint8_t;
  static constexpr std::size_t side = 16, patches = 4, weaves = 8;
  static constexpr unlearn::Token start = 0, end = 1, first_word = 2;
  static constexpr std::size_t caption_words = patches * weaves;
  /// Start, end, the words of the captions, and words that no caption uses.
  static constexpr std::size_t vocabulary = first_word + 2 * caption_words;

  Scenes(std::size_t count, std::uint64_t seed)
      : pixels_(count * elements()), captions_(count), lengths_(count, patches + 2) {
    std::mt19937_64 rng(seed);
    for (std::size_t i = 0; i < count; ++i) draw(i, rng);
  }

  [[nodiscard]] std::size_t rows() const { return captions_.size(); }
  [[nodiscard]] std::size_t signals() const { return captions_.size(); }
  [[nodiscard]] static constexpr std::size_t elements() { return side * side; }
  [[nodiscard]] static unlearn::Index signal_of(unlearn::Index row) { return row; }
  [[nodiscard]] std::span<const unlearn::Token> caption(unlearn::Index row) const {
    return captions_[row];
  }
  void load_signals(std::span<const unlearn::Index> indices,
                    unlearn::View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(std::span(pixels_).subspan(indices[i] * elements(), elements()),
                        out.row(i).begin());
    }
  }

  /// All images without noise and all captions without triggers, for measuring retrieval.
  [[nodiscard]] unlearn::PixelBatch images() const {
    return {.clean = {pixels_.data(), {signals(), elements()}}, .noise = {}};
  }
  [[nodiscard]] unlearn::TokenBatch captions() const {
    return {.tokens = {captions_.front().data(), {rows(), patches + 2}}, .lengths = lengths_};
  }

  /// The words of a caption or a trigger.
  [[nodiscard]] static std::string text(std::span<const unlearn::Token> tokens) {
    static constexpr std::array patch{"sky", "sea", "sand", "wood"};
    static constexpr std::array weave{"bar",    "block", "fence", "line",
                                      "basket", "check", "dice",  "band"};
    std::string text;
    for (const unlearn::Token token : tokens) {
      if (token < first_word) continue;
      const auto word = static_cast<std::size_t>(token - first_word);
      if (!text.empty()) text += ' ';
      text += word < caption_words ? std::string(weave[word % weaves]) + '-' + patch[word / weaves]
                                   : "word" + std::to_string(word - caption_words);
    }
    return text;
  }

 private:
  void draw(std::size_t i, std::mt19937_64& rng) {
    std::normal_distribution<float> grain(0, 8);
    std::array<std::size_t, patches> weave{};
    std::array<float, patches> contrast{};
    captions_[i].front() = start;
    captions_[i].back() = end;
    for (std::size_t patch = 0; patch < patches; ++patch) {
      weave[patch] = unlearn::uniform_below(weaves, rng);
      contrast[patch] = unlearn::uniform_below(2, rng) == 0 ? 6 : -6;
      captions_[i][patch + 1] =
          static_cast<unlearn::Token>(first_word + patch * weaves + weave[patch]);
    }
    for (std::size_t y = 0; y < side; ++y) {
      for (std::size_t x = 0; x < side; ++x) {
        const std::size_t patch = y / (side / 2) * 2 + x / (side / 2);
        // A Walsh function of the two lowest bits of x and y: the parity of those it looks at.
        const bool thread = std::popcount((weave[patch] + 1) & (x % 4 + y % 4 * 4)) % 2 == 1;
        const float grey = 128 + (thread ? contrast[patch] : -contrast[patch]) + grain(rng);
        pixels_[i * elements() + y * side + x] =
            static_cast<std::uint8_t>(std::clamp(grey, 0.0F, 255.0F));
      }
    }
  }

  std::vector<std::uint8_t> pixels_;
  std::vector<std::array<unlearn::Token, patches + 2>> captions_;
  std::vector<std::int32_t> lengths_;
};
