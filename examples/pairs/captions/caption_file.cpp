// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_file.hpp"

#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "pairs/files/json_cursor.hpp"
#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"

namespace unlearn::pairs {
namespace {

using Json = nlohmann::json;

// --- Rows

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

/// Calls refuse(what, expected, got) for what is wrong with a row.
template <class Refuse>
void check(const CaptionRow& row, const Refuse& refuse) {
  if (!is_image_name(row.image)) {
    refuse("image name", "a relative path without '..' and control characters", row.image);
  }
  if (!is_utf8(row.caption)) refuse("caption", "valid UTF-8", row.caption);
  if (!is_printable(row.split)) refuse("split", "a word", row.split);
}

/// @param place where in the file the row stands
void check_in_file(const CaptionRow& row, const std::string& path, const std::string& place) {
  check(row, [&](const char* what, const char* expected, std::string_view got) {
    require_in_file(false, path, place + ", " + what, expected, json_quoted(got));
  });
}

std::string line_number(std::size_t line) { return "line " + std::to_string(line); }

// --- CSV

/// Reads the records of RFC 4180 one after the other.
class CsvRecords {
 public:
  CsvRecords(std::string_view text, const std::string& path) : rest_(text), path_(path) {}

  /// Whether there was another record; its fields are then in `fields`.
  bool next(std::vector<std::string>& fields) {
    while (skip_line_end()) {
    }
    fields.clear();
    first_line_ = line_;
    if (rest_.empty()) return false;
    while (true) {
      fields.push_back(rest_.starts_with('"') ? quoted_field() : plain_field());
      if (rest_.empty() || skip_line_end()) return true;
      require(rest_.starts_with(','), "a comma or the line's end behind a field");
      rest_.remove_prefix(1);
    }
  }

  /// The line, counted from 1, in which the last record began.
  [[nodiscard]] std::size_t first_line() const { return first_line_; }

 private:
  bool skip_line_end() {
    if (!rest_.starts_with('\n') && !rest_.starts_with("\r\n")) return false;
    rest_.remove_prefix(rest_.starts_with('\r') ? 2 : 1);
    ++line_;
    return true;
  }

  std::string take(std::size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    line_ += static_cast<std::size_t>(std::ranges::count(taken, '\n'));
    rest_.remove_prefix(taken.size());
    return std::string(taken);
  }

  std::string plain_field() {
    std::string field = take(std::min(rest_.find_first_of(",\"\r\n"), rest_.size()));
    require(!rest_.starts_with('"'), "quotes around the whole field");
    return field;
  }

  std::string quoted_field() {
    std::string field;
    while (true) {
      rest_.remove_prefix(1);
      const std::size_t end = rest_.find('"');
      require(end != std::string_view::npos, "a quote that ends the field");
      field += take(end);
      rest_.remove_prefix(1);
      if (!rest_.starts_with('"')) return field;
      field += '"';  // a doubled quote stands for one, and the field goes on
    }
  }

  void require(bool holds, const char* expected) const {
    if (holds) return;
    require_in_file(false, path_, line_number(first_line_), expected,
                    rest_.empty() ? "the end of the file" : json_quoted(rest_));
  }

  std::string_view rest_;
  const std::string& path_;
  std::size_t line_ = 1;
  std::size_t first_line_ = 1;
};

std::vector<CaptionRow> read_csv(std::string_view text, const std::string& path) {
  static const std::vector<std::string> names{"image", "caption", "split"};
  CsvRecords records(text, path);
  std::vector<std::string> fields;
  records.next(fields);
  const std::size_t columns = fields.size();
  require_in_file(columns >= 2 && columns <= names.size() &&
                      std::equal(fields.begin(), fields.end(), names.begin()),
                  path, line_number(records.first_line()),
                  "a header 'image,caption' or 'image,caption,split', or a line "
                  "'<image>#<number><tab><caption>'",
                  json_quoted(text.substr(0, text.find('\n'))));
  std::vector<CaptionRow> rows;
  while (records.next(fields)) {
    const std::string place = line_number(records.first_line());
    require_in_file(fields.size() == columns, path, place + ", fields", columns, fields.size());
    rows.push_back({.image = std::move(fields[0]),
                    .caption = std::move(fields[1]),
                    .split = columns == 3 ? std::move(fields[2]) : std::string()});
    check_in_file(rows.back(), path, place);
  }
  return rows;
}

// --- Flickr8k's token file

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
      require_in_file(false, path, line_number(number), "'<image>#<number><tab><caption>'",
                      json_quoted(line));
    }
    rows.push_back({.image = std::string(line.substr(0, name)),
                    .caption = std::string(line.substr(line.find('\t') + 1))});
    check_in_file(rows.back(), path, line_number(number));
  }
  return rows;
}

// --- JSON

std::vector<CaptionRow> read_karpathy(const JsonCursor& images) {
  std::vector<CaptionRow> rows;
  for (const JsonCursor& image : images.elements()) {
    const std::string& name = image["filename"].text();
    const std::string split = image.has("split") ? image["split"].text() : std::string();
    for (const JsonCursor& sentence : image["sentences"].elements()) {
      rows.push_back({.image = name, .caption = sentence["raw"].text(), .split = split});
      check_in_file(rows.back(), sentence.file(), sentence.place());
    }
  }
  return rows;
}

std::vector<CaptionRow> read_coco(const JsonCursor& images, const JsonCursor& annotations) {
  std::unordered_map<std::int64_t, std::string> names;
  for (const JsonCursor& image : images.elements()) {
    const JsonCursor id = image["id"];
    const bool is_new = names.emplace(id.integer(), image["file_name"].text()).second;
    id.require(is_new, "a number of its own");
  }
  std::vector<CaptionRow> rows;
  for (const JsonCursor& annotation : annotations.elements()) {
    const JsonCursor id = annotation["image_id"];
    const auto name = names.find(id.integer());
    id.require(name != names.end(), "the id of an image");
    rows.push_back({.image = name->second, .caption = annotation["caption"].text()});
    check_in_file(rows.back(), annotation.file(), annotation.place());
  }
  return rows;
}

std::vector<CaptionRow> read_json(std::string_view text, const std::string& path) {
  // Most of such a file is of no interest here (every token of every sentence, licences, links):
  // it is dropped while it is read.
  static constexpr std::array<std::string_view, 10> keys{
      "images",    "annotations", "filename", "file_name", "split",
      "sentences", "raw",         "id",       "image_id",  "caption"};
  const auto is_wanted = [](int /*depth*/, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::key ||
           std::ranges::count(keys, parsed.get_ref<const std::string&>()) > 0;
  };
  Json json;
  try {
    json = Json::parse(text.begin(), text.end(), is_wanted);
  } catch (const Json::exception& error) {
    require_in_file(false, path, "JSON", "a complete document", error.what());
  }
  const JsonCursor top(json, path);
  return top.has("annotations") ? read_coco(top["images"], top["annotations"])
                                : read_karpathy(top["images"]);
}

/// A field in quotes where it needs them.
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2 : 1, c);
  return field += '"';
}

}  // namespace

bool is_image_name(std::string_view name) {
  return !name.empty() && stays_inside(name) && is_printable(name);
}

std::vector<CaptionRow> read_captions(const std::string& path, std::size_t most_bytes) {
  const FileMapping file(path);
  const std::span<const std::byte> bytes = file.bytes();
  require_in_file(bytes.size() <= most_bytes, path, "size in bytes",
                  "at most " + std::to_string(most_bytes), bytes.size());
  // NOLINTNEXTLINE(*-reinterpret-cast): bytes as text
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && (text[start] == '{' || text[start] == '[')) {
    return read_json(text, path);
  }
  const bool has_tokens = name_length(text.substr(0, text.find('\n'))) != std::string_view::npos;
  return has_tokens ? read_token_file(text, path) : read_csv(text, path);
}

void write_captions_csv(const std::string& path, std::span<const CaptionRow> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check(rows[i], [&](const char* what, const char* expected, std::string_view got) {
      require(false, "row " + std::to_string(i) + ", " + what, expected, json_quoted(got));
    });
  }
  AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  out << "image,caption,split\n";
  for (const CaptionRow& row : rows) {
    out << csv_field(row.image) << ',' << csv_field(row.caption) << ',' << csv_field(row.split)
        << '\n';
  }
  file.commit();
}

}  // namespace unlearn::pairs
