// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "pairs/captions/caption_row.hpp"
#include "pairs/files/json_cursor.hpp"

namespace unlearn::pairs {

/// A format of captions in JSON. json_format() takes the first of its list that recognises a file.
struct JsonFormat {
  /// The names of all values that `read` asks for; others are dropped while a file is parsed.
  std::span<const std::string_view> names{};
  /// Whether a document is in this format.
  bool (*recognises)(const JsonCursor& top) = nullptr;
  /// The rows. Throws FileError, with the element that is wrong, for what is not in this format.
  std::vector<CaptionRow> (*read)(const JsonCursor& top) = nullptr;
};

/// COCO's captions: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`.
/// Rows are in the order of the annotations, and tell no split.
[[nodiscard]] JsonFormat coco_json();

/// Karpathy's splits: `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`. It recognises
/// any document.
[[nodiscard]] JsonFormat karpathy_json();

}  // namespace unlearn::pairs
