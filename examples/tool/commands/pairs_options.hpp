// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "pairs/captions/caption_set.hpp"
#include "pairs/text/any_tokenizer.hpp"

namespace unlearn::tool {

/// Where images and their captions are. A pairs folder has images in `images/` and the captions
/// in `captions.csv`.
struct PairsOptions {
  std::string pairs{};     ///< a pairs folder, or empty
  std::string images{};    ///< folder of the images; empty for the pairs folder's
  std::string captions{};  ///< captions file; empty for the pairs folder's

  [[nodiscard]] bool empty() const { return pairs.empty() && images.empty() && captions.empty(); }
  /// @throws InvalidArgument when neither is given
  [[nodiscard]] std::string images_folder() const;
  /// @throws InvalidArgument when neither is given
  [[nodiscard]] std::string captions_file() const;
  /// The file of an image.
  [[nodiscard]] std::string image_path(const std::string& image) const;
  /// Files of images.
  [[nodiscard]] std::vector<std::string> image_paths(const pairs::CaptionSet& set) const;
  /// The rows of a split; with an empty one, all rows.
  [[nodiscard]] pairs::CaptionSet read(const std::string& split) const;
};

/// `--pairs`, `--images` and `--captions`.
void add_pairs_options(CLI::App& command, PairsOptions& options);

/// The tokenizer of `--vocab`: a file, or "words" for one learned from `captions`, or nothing for
/// an installed merge list.
[[nodiscard]] pairs::AnyTokenizer make_tokenizer(const std::string& vocab,
                                                 const std::vector<std::string>& captions);

/// `--vocab`.
void add_vocab_option(CLI::App& command, std::string& vocab);

}  // namespace unlearn::tool
