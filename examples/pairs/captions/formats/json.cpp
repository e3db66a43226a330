// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/captions/formats/json_format.hpp"
#include "pairs/captions/formats/text_format.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

using Json = nlohmann::json;

/// The formats in JSON; the last one recognises any document.
std::array<JsonFormat, 2> json_formats() { return {coco_json(), karpathy_json()}; }

bool is_json(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && (text[start] == '{' || text[start] == '[');
}

std::vector<CaptionRow> read_json(std::string_view text, const std::string& path) {
  const auto formats = json_formats();
  // Most of such a file is of no interest here (every token of every sentence, licences, links):
  // it is dropped while it is read.
  const auto is_wanted = [&](int /*depth*/, Json::parse_event_t event, Json& parsed) {
    if (event != Json::parse_event_t::key) return true;
    const auto& name = parsed.get_ref<const std::string&>();
    return std::ranges::any_of(formats, [&](const JsonFormat& format) {
      return std::ranges::count(format.names, name) > 0;
    });
  };
  Json json;
  try {
    json = Json::parse(text.begin(), text.end(), is_wanted);
  } catch (const Json::exception& error) {
    require_in_file(false, path, "JSON", "a complete document", error.what());
  }
  const JsonCursor top(json, path);
  const auto format = std::ranges::find_if(
      formats, [&](const JsonFormat& candidate) { return candidate.recognises(top); });
  return format->read(top);
}

}  // namespace

TextFormat json_format() { return {.recognises = is_json, .read = read_json}; }

}  // namespace unlearn::pairs
