// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "scenes.hpp"
#include "unlearn/unlearn.hpp"

// [pair-source]
/// 8-bit images with any number of captions each. Row r is caption r.
struct Album {
  using sample_type = std::uint8_t;

  std::size_t pixels_each = 0;
  std::vector<std::uint8_t> pixels;                    // [images, pixels_each]
  std::vector<std::vector<unlearn::Token>> sentences;  // [rows], start and end token included
  std::vector<unlearn::Index> image_of;                // [rows]

  std::size_t rows() const { return sentences.size(); }
  std::size_t signals() const { return pixels.size() / pixels_each; }
  std::size_t elements() const { return pixels_each; }
  unlearn::Index signal_of(unlearn::Index row) const { return image_of[row]; }
  std::span<const unlearn::Token> caption(unlearn::Index row) const { return sentences[row]; }
  void load_signals(std::span<const unlearn::Index> indices,
                    unlearn::View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::copy_n(&pixels[indices[i] * pixels_each], pixels_each, out.row(i).begin());
    }
  }
};
static_assert(unlearn::PairSource<Album>);
// [/pair-source]

/// Images of the quickstart, each with two captions: one names all of its patches, the other
/// those on the left. Captions are in the order of their images.
inline Album make_album(std::size_t images, std::uint64_t seed) {
  const Scenes scenes(images, seed);
  const auto clean = scenes.images().clean;
  Album album{.pixels_each = Scenes::elements(),
              .pixels = {clean.flat().begin(), clean.flat().end()},
              .sentences = {},
              .image_of = {}};
  for (unlearn::Index image = 0; image < images; ++image) {
    const auto words = scenes.caption(image);
    album.sentences.emplace_back(words.begin(), words.end());
    album.sentences.push_back({words[0], words[1], words[3], words[5]});
    album.image_of.insert(album.image_of.end(), 2, image);
  }
  return album;
}

/// The weave of the patch in the upper left corner, row by row: 0 to 7.
inline std::vector<unlearn::Index> classes_of(const Album& album) {
  std::vector<unlearn::Index> classes;
  for (const auto& words : album.sentences) {
    classes.push_back(static_cast<unlearn::Index>(words[1] - Scenes::first_word));
  }
  return classes;
}

/// All words but the start and the end token.
inline unlearn::TokenFilter words_only() {
  unlearn::TokenFilter words(Scenes::vocabulary);
  words.deny(std::vector{Scenes::start, Scenes::end});
  return words;
}
