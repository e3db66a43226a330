// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pairs/captions/caption_set.hpp"
#include "tool/commands/pairs_options.hpp"

namespace unlearn::tool {

/// Which pairs are protected.
struct SourcesRequest {
  PairsOptions pairs{};
  std::string split{};    ///< empty: `train` where the captions have splits, else all rows
  bool skip_bad = false;  ///< leave out images that cannot be used, and say so
  bool quiet = false;     ///< show no progress
};

/// The pairs to protect, checked: every image is there and can be read.
struct Sources {
  pairs::CaptionSet set{};
  std::string split{};
  std::vector<std::string> sha256{};  ///< of each image's file
  std::string captions_sha256{};
  std::vector<std::size_t> rows{};     ///< of each row that is left, its number in the split
  std::vector<std::string> skipped{};  ///< what was left out: file and problem

  /// A SHA-256 of all that was read.
  [[nodiscard]] std::string digest() const;
};

/// Reads captions, and checks and hashes every image.
/// @throws FileError for captions that cannot be read; for images that cannot be read or that have
///         no caption, unless they are to be skipped
/// @throws InvalidArgument when fewer than two rows are left
[[nodiscard]] Sources read_sources(const SourcesRequest& request);

}  // namespace unlearn::tool
