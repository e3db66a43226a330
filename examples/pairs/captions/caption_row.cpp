// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_row.hpp"

#include <unicode/ustring.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pairs/files/json_text.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

bool is_utf8(std::string_view text) {
  // ICU would take a negative length for a text that ends with a 0.
  if (text.size() > std::numeric_limits<std::int32_t>::max()) return false;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8(nullptr, 0, nullptr, text.data(), static_cast<std::int32_t>(text.size()), &status);
  return status != U_INVALID_CHAR_FOUND;  // that nothing has room in nullptr is another status
}

/// Whether UTF-8 text has one of the characters U+0000 to U+001F and U+007F to U+009F.
bool has_control_character(std::string_view text) {
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (before == 0xC2 && byte < 0xA0)) return true;
    before = byte;
  }
  return false;
}

bool is_printable(std::string_view text) { return is_utf8(text) && !has_control_character(text); }

bool stays_inside(std::string_view path) {
  if (path.starts_with('/')) return false;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return false;
    start = end + 1;
  }
  return true;
}

}  // namespace

bool is_image_name(std::string_view name) {
  return !name.empty() && stays_inside(name) && is_printable(name);
}

std::optional<RowFault> fault_of(const CaptionRow& row) {
  if (!is_image_name(row.image)) {
    return RowFault{.what = "image name",
                    .expected = "a relative path without '..' and control characters",
                    .got = row.image};
  }
  if (!is_utf8(row.caption)) {
    return RowFault{.what = "caption", .expected = "valid UTF-8", .got = row.caption};
  }
  if (!is_printable(row.split)) {
    return RowFault{.what = "split", .expected = "a word", .got = row.split};
  }
  return std::nullopt;
}

void check_row(const CaptionRow& row, const std::string& path, const std::string& place) {
  if (const auto fault = fault_of(row)) {
    require_in_file(false, path, place + ", " + fault->what, fault->expected,
                    json_quoted(fault->got));
  }
}

std::string line_place(std::size_t line) { return "line " + std::to_string(line); }

}  // namespace unlearn::pairs
