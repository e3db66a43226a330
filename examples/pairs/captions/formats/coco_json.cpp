// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pairs/captions/formats/json_format.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

std::vector<CaptionRow> read_coco(const JsonElement& top) {
  std::unordered_map<std::int64_t, std::string> names;
  top["images"].for_each([&](const JsonElement& image) {
    const JsonElement id = image["id"];
    const bool is_new = names.emplace(id.number(), image["file_name"].text()).second;
    require_in_file(is_new, id.path, id.place, "a number of its own", id.number());
  });
  std::vector<CaptionRow> rows;
  top["annotations"].for_each([&](const JsonElement& annotation) {
    const JsonElement id = annotation["image_id"];
    const auto name = names.find(id.number());
    require_in_file(name != names.end(), id.path, id.place, "the id of an image", id.number());
    rows.push_back({.image = name->second, .caption = annotation["caption"].text()});
    check_row(rows.back(), annotation.path, annotation.place);
  });
  return rows;
}

}  // namespace

JsonFormat coco_json() {
  static constexpr std::array<std::string_view, 6> names{"images",      "id",       "file_name",
                                                         "annotations", "image_id", "caption"};
  return {.names = names,
          .recognises = [](const JsonElement& top) { return top.has("annotations"); },
          .read = read_coco};
}

}  // namespace unlearn::pairs
