// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/number_table.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

std::string text_of(const std::string& path, std::size_t most_bytes) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) require_in_file(false, path, "contents", "a readable file", failure.message());
  require_in_file(size <= most_bytes, path, "size in bytes",
                  "at most " + std::to_string(most_bytes), size);
  std::ifstream in(path, std::ios::binary);
  require_in_file(in.is_open(), path, "contents", "a readable file", "an error");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string short_name(std::string_view text) { return json_quoted(text.substr(0, 80)); }

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  for (std::size_t start = 0; start <= line.size();) {
    const std::size_t end = std::min(line.find(',', start), line.size());
    fields.emplace_back(line.substr(start, end - start));
    start = end + 1;
  }
  return fields;
}

}  // namespace

NumberTable::NumberTable(std::string path, std::size_t most_bytes) : path_(std::move(path)) {
  const std::string text = text_of(path_, most_bytes);
  std::string_view rest = text;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    std::string_view content = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), content.size() + 1));
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (line == 1) {
      header_ = fields_of(content);
    } else {
      add(content, line);
    }
  }
}

std::size_t NumberTable::column(std::string_view name) const {
  const auto found = std::ranges::find(header_, name);
  require_in_file(found != header_.end(), path_, "header", "a column '" + std::string(name) + "'",
                  "none");
  return static_cast<std::size_t>(found - header_.begin());
}

double NumberTable::number(std::size_t row, std::size_t column) const {
  require_in_file(rows_[row][column].has_value(), path_, place(row + 2, column), "a number",
                  "an empty field");
  return rows_[row][column].value_or(0);
}

double NumberTable::whole_number(std::size_t row, std::size_t column, double least,
                                 double most) const {
  const double found = number(row, column);
  require_in_file(found >= least && found <= most && found == std::floor(found), path_,
                  place(row + 2, column), "a whole number from " + number_text(least),
                  number_text(found));
  return found;
}

std::string NumberTable::place(std::size_t line, std::size_t column) const {
  return "line " + std::to_string(line) + ", " + short_name(header_[column]);
}

void NumberTable::add(std::string_view content, std::size_t line) {
  const std::vector<std::string> fields = fields_of(content);
  require_in_file(fields.size() == header_.size(), path_, "line " + std::to_string(line),
                  std::to_string(header_.size()) + " fields", fields.size());
  auto& row = rows_.emplace_back();
  for (std::size_t column = 0; column < fields.size(); ++column) {
    const std::string& field = fields[column];
    if (field.empty()) {
      row.emplace_back();
      continue;
    }
    double number = 0;
    if (!parse_number(field, number) || !std::isfinite(number)) {
      require_in_file(false, path_, place(line, column), "a finite number", short_name(field));
    }
    row.emplace_back(number);
  }
}

void write_text_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace unlearn::pairs
