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
/// 8-bit pictures with any number of captions each. Row r is caption r.
struct Album {
  using sample_type = std::uint8_t;

  std::size_t pixels_each = 0;
  std::vector<std::uint8_t> pixels;                    // [pictures, pixels_each]
  std::vector<std::vector<unlearn::Token>> sentences;  // [rows], start and end token included
  std::vector<unlearn::Index> picture_of;              // [rows]

  std::size_t rows() const { return sentences.size(); }
  std::size_t signals() const { return pixels.size() / pixels_each; }
  std::size_t elements() const { return pixels_each; }
  unlearn::Index signal_of(unlearn::Index row) const { return picture_of[row]; }
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

/// Pictures of the quickstart, each with two captions: one names all of its patches, the other
/// those on the left. Captions stand picture by picture.
inline Album make_album(std::size_t pictures, std::uint64_t seed) {
  const Scenes scenes(pictures, seed);
  const auto clean = scenes.pictures().clean;
  Album album{.pixels_each = Scenes::elements(),
              .pixels = {clean.flat().begin(), clean.flat().end()},
              .sentences = {},
              .picture_of = {}};
  for (unlearn::Index picture = 0; picture < pictures; ++picture) {
    const auto words = scenes.caption(picture);
    album.sentences.emplace_back(words.begin(), words.end());
    album.sentences.push_back({words[0], words[1], words[3], words[5]});
    album.picture_of.insert(album.picture_of.end(), 2, picture);
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
