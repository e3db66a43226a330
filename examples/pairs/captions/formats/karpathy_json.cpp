// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/captions/formats/json_format.hpp"

namespace unlearn::pairs {
namespace {

std::vector<CaptionRow> read_karpathy(const JsonCursor& top) {
  std::vector<CaptionRow> rows;
  for (const JsonCursor& image : top["images"].elements()) {
    const std::string& name = image["filename"].text();
    const std::string split = image.has("split") ? image["split"].text() : std::string();
    for (const JsonCursor& sentence : image["sentences"].elements()) {
      rows.push_back({.image = name, .caption = sentence["raw"].text(), .split = split});
      check_row(rows.back(), sentence.file(), sentence.place());
    }
  }
  return rows;
}

}  // namespace

JsonFormat karpathy_json() {
  static constexpr std::array<std::string_view, 5> names{"images", "filename", "split", "sentences",
                                                         "raw"};
  return {.names = names,
          .recognises = [](const JsonCursor& /*top*/) { return true; },
          .read = read_karpathy};
}

}  // namespace unlearn::pairs
