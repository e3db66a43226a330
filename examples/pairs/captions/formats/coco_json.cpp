// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pairs/captions/formats/json_format.hpp"

namespace unlearn::pairs {
namespace {

std::vector<CaptionRow> read_coco(const JsonCursor& top) {
  std::unordered_map<std::int64_t, std::string> names;
  for (const JsonCursor& image : top["images"].elements()) {
    const JsonCursor id = image["id"];
    const bool is_new = names.emplace(id.integer(), image["file_name"].text()).second;
    id.require(is_new, "a number of its own");
  }
  std::vector<CaptionRow> rows;
  for (const JsonCursor& annotation : top["annotations"].elements()) {
    const JsonCursor id = annotation["image_id"];
    const auto name = names.find(id.integer());
    id.require(name != names.end(), "the id of an image");
    rows.push_back({.image = name->second, .caption = annotation["caption"].text()});
    check_row(rows.back(), annotation.file(), annotation.place());
  }
  return rows;
}

}  // namespace

JsonFormat coco_json() {
  static constexpr std::array<std::string_view, 6> names{"images",      "id",       "file_name",
                                                         "annotations", "image_id", "caption"};
  return {.names = names,
          .recognises = [](const JsonCursor& top) { return top.has("annotations"); },
          .read = read_coco};
}

}  // namespace unlearn::pairs
