// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "pairs/text/tokenizer.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::pairs {

/// Captions with the images that they name, each image once.
struct CaptionSet {
  std::vector<std::string> images{};    ///< relative file names, in the order they are first named
  std::vector<Index> image_of_row{};    ///< [rows]
  std::vector<std::string> captions{};  ///< [rows]
  std::vector<std::string> splits{};    ///< [rows]

  [[nodiscard]] std::size_t rows() const { return captions.size(); }
};

/// The rows of one split, in the file's order; with an empty `split`, all rows.
/// @param file stands for the rows' origin in messages
/// @throws InvalidArgument when there are none; the message lists the splits that there are
[[nodiscard]] CaptionSet select_split(std::span<const CaptionRow> rows, const std::string& split,
                                      const std::string& file);

/// The same rows image by image, as `retrieval` wants them.
/// @throws InvalidArgument when the images have different numbers of captions
[[nodiscard]] CaptionSet image_by_image(const CaptionSet& set);

/// The same without the rows of the named images.
[[nodiscard]] CaptionSet without(const CaptionSet& set, std::span<const std::string> images);

/// Every caption as tokens; see caption_tokens().
template <Tokenizer Tok>
[[nodiscard]] std::vector<std::vector<Token>> tokens_of(const CaptionSet& set, const Tok& tokenizer,
                                                        std::size_t context) {
  std::vector<std::vector<Token>> tokens;
  tokens.reserve(set.rows());
  for (const std::string& caption : set.captions) {
    tokens.push_back(caption_tokens(tokenizer, caption, context));
  }
  return tokens;
}

}  // namespace unlearn::pairs
