// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_file.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/captions/formats/text_format.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"

namespace unlearn::pairs {
namespace {

/// The formats there are; the last one recognises any text.
std::array<TextFormat, 3> text_formats() {
  return {json_format(), flickr_token_format(), csv_format()};
}

}  // namespace

std::vector<CaptionRow> read_captions(const std::string& path, std::size_t most_bytes) {
  const FileMapping file(path);
  const std::span<const std::byte> bytes = file.bytes();
  require_in_file(bytes.size() <= most_bytes, path, "size in bytes",
                  "at most " + std::to_string(most_bytes), bytes.size());
  // NOLINTNEXTLINE(*-reinterpret-cast): bytes as text
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto formats = text_formats();
  const auto format = std::ranges::find_if(
      formats, [&](const TextFormat& candidate) { return candidate.recognises(text); });
  return format->read(text, path);
}

}  // namespace unlearn::pairs
