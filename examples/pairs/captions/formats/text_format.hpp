// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pairs/captions/caption_row.hpp"

namespace unlearn::pairs {

/// A format of captions files. read_captions() takes the first of its list that recognises a file.
struct TextFormat {
  /// Whether a file's text, without a byte order mark, is in this format.
  bool (*recognises)(std::string_view text) = nullptr;
  /// The rows, in the order of the file. `path` is for messages.
  /// Throws FileError for what is not in this format, and for a row that has a fault_of() it.
  std::vector<CaptionRow> (*read)(std::string_view text, const std::string& path) = nullptr;
};

/// JSON: any of the formats in formats/json_format.hpp.
[[nodiscard]] TextFormat json_format();

/// Flickr8k's and Flickr30k's token file, a line `name.jpg#0<tab>caption` for each caption.
[[nodiscard]] TextFormat flickr_token_format();

/// CSV (RFC 4180) under the header `image,caption` or `image,caption,split`. It recognises any
/// text.
[[nodiscard]] TextFormat csv_format();

}  // namespace unlearn::pairs
