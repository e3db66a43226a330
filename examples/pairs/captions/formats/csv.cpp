// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "pairs/captions/formats/text_format.hpp"
#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

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
    require_in_file(false, path_, line_place(first_line_), expected,
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
                  path, line_place(records.first_line()),
                  "a header 'image,caption' or 'image,caption,split', or a line "
                  "'<image>#<number><tab><caption>'",
                  json_quoted(text.substr(0, text.find('\n'))));
  std::vector<CaptionRow> rows;
  while (records.next(fields)) {
    const std::string place = line_place(records.first_line());
    require_in_file(fields.size() == columns, path, place + ", fields", columns, fields.size());
    rows.push_back({.image = std::move(fields[0]),
                    .caption = std::move(fields[1]),
                    .split = columns == 3 ? std::move(fields[2]) : std::string()});
    check_row(rows.back(), path, place);
  }
  return rows;
}

/// A field in quotes where it needs them.
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2 : 1, c);
  return field += '"';
}

}  // namespace

TextFormat csv_format() {
  return {.recognises = [](std::string_view /*text*/) { return true; }, .read = read_csv};
}

void write_captions_csv(const std::string& path, std::span<const CaptionRow> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (const auto fault = fault_of(rows[i])) {
      require(false, "row " + std::to_string(i) + ", " + fault->what, fault->expected,
              json_quoted(fault->got));
    }
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
