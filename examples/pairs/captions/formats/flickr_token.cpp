// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/captions/formats/text_format.hpp"
#include "pairs/files/json_text.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

/// The length of the image's name in a line `name#0<tab>caption`; npos for any other line.
std::size_t name_length(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return tab;
  const std::size_t hash = line.substr(0, tab).rfind('#');
  if (hash == std::string_view::npos) return hash;
  const std::string_view number = line.substr(hash + 1, tab - hash - 1);
  const bool counts =
      !number.empty() && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  return counts ? hash : std::string_view::npos;
}

std::vector<CaptionRow> read_token_file(std::string_view text, const std::string& path) {
  std::vector<CaptionRow> rows;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t name = name_length(line);
    if (name == std::string_view::npos) {
      require_in_file(false, path, line_place(number), "'<image>#<number><tab><caption>'",
                      json_quoted(line));
    }
    rows.push_back({.image = std::string(line.substr(0, name)),
                    .caption = std::string(line.substr(line.find('\t') + 1))});
    check_row(rows.back(), path, line_place(number));
  }
  return rows;
}

bool is_token_file(std::string_view text) {
  return name_length(text.substr(0, text.find('\n'))) != std::string_view::npos;
}

}  // namespace

TextFormat flickr_token_format() { return {.recognises = is_token_file, .read = read_token_file}; }

}  // namespace unlearn::pairs
