// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/io/number_text.hpp"

namespace unlearn::pairs {

// A CSV file of numbers is a list of records. The record's type has a function, found by its
// argument, that names each column once, for writing and for reading:
//
//     template <class Archive, class Line>
//     void describe(Archive& archive, Line& line) {
//       auto& [round, loss] = line;  // fails to compile when a member is added
//       archive("round", round);
//       archive("loss", loss);
//     }
//
// Members are unsigned integers, doubles, or std::optional<double>, whose field may be empty.

/// A CSV file of numbers under a header; a field may be empty.
class NumberTable {
 public:
  /// @throws FileError when the file cannot be read, or is larger than `most_bytes`; when a line
  ///         has more or fewer fields than the header, or a field is no finite number
  explicit NumberTable(std::string path, std::size_t most_bytes = std::size_t{64} << 20U);

  /// The names of the columns.
  [[nodiscard]] const std::vector<std::string>& header() const { return header_; }

  /// Lines, without the header.
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

  /// @returns the number of the column with this name, from 0
  /// @throws FileError unless the header has it
  [[nodiscard]] std::size_t column(std::string_view name) const;

  [[nodiscard]] std::optional<double> at(std::size_t row, std::size_t column) const {
    return rows_[row][column];
  }
  /// The number in a column that must have one.
  /// @throws FileError when the field is empty
  [[nodiscard]] double number(std::size_t row, std::size_t column) const;
  /// The same, of a whole number.
  /// @throws FileError when it is none, or outside `least` to `most`
  [[nodiscard]] double whole_number(std::size_t row, std::size_t column, double least,
                                    double most) const;

 private:
  [[nodiscard]] std::string place(std::size_t line, std::size_t column) const;
  void add(std::string_view content, std::size_t line);

  std::string path_;
  std::vector<std::string> header_;
  std::vector<std::vector<std::optional<double>>> rows_;
};

/// Collects the names of columns.
class ColumnNames {
 public:
  template <class Value>
  void operator()(std::string_view name, const Value& /*value*/) {
    names_.emplace_back(name);
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

/// Writes a record as a line: integers as they are, other numbers with 9 significant digits.
class LineWriter {
 public:
  template <class Value>
  void operator()(std::string_view /*name*/, const Value& value) {
    if (!line_.empty()) line_ += ',';
    line_ += text(value);
  }
  [[nodiscard]] const std::string& line() const { return line_; }

 private:
  static std::string text(std::unsigned_integral auto number) { return number_text(number); }
  static std::string text(double number) { return rounded_text(number, 9); }
  static std::string text(const std::optional<double>& number) {
    return number ? text(*number) : std::string();
  }

  std::string line_;
};

/// Reads a record from a line; columns that it does not name are passed over.
class LineReader {
 public:
  LineReader(const NumberTable& table, std::size_t row) : table_(&table), row_(row) {}

  template <class Value>
  void operator()(std::string_view name, Value& value) {
    read(table_->column(name), value);
  }

 private:
  template <std::unsigned_integral Whole>
  void read(std::size_t column, Whole& value) const {
    constexpr std::size_t exact = std::size_t{1} << 53U;  // integers that a double holds
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<Whole>::max());
    value = static_cast<Whole>(
        table_->whole_number(row_, column, 0, static_cast<double>(most < exact ? most : exact)));
  }
  void read(std::size_t column, double& value) const { value = table_->number(row_, column); }
  void read(std::size_t column, std::optional<double>& value) const {
    value = table_->at(row_, column);
  }

  const NumberTable* table_;
  std::size_t row_;
};

/// Writes text into a file, complete or not at all.
/// @throws FileError
void write_text_file(const std::string& path, std::string_view text);

/// The header of a file of records.
template <class Record>
[[nodiscard]] std::string table_header() {
  const Record record{};
  ColumnNames names;
  describe(names, record);
  std::string header;
  for (const std::string& name : names.names()) header.append(header.empty() ? "" : ",") += name;
  return header;
}

/// Writes records as CSV, complete or not at all.
/// @throws FileError
template <class Record>
void write_table(const std::string& path, std::span<const Record> records) {
  std::string text = table_header<Record>() + '\n';
  for (const Record& record : records) {
    LineWriter writer;
    describe(writer, record);
    text.append(writer.line()) += '\n';
  }
  write_text_file(path, text);
}

/// Reads records from CSV; the columns may be in any order, and there may be others.
/// @throws FileError for what NumberTable refuses, a column that is missing, or an empty field
///         where there must be a number
template <class Record>
[[nodiscard]] std::vector<Record> read_table(const std::string& path) {
  const NumberTable table(path);
  // A file without lines has its columns, too.
  const Record record{};
  ColumnNames names;
  describe(names, record);
  for (const std::string& name : names.names()) (void)table.column(name);
  std::vector<Record> records(table.size());
  for (std::size_t row = 0; row < records.size(); ++row) {
    LineReader reader(table, row);
    describe(reader, records[row]);
  }
  return records;
}

}  // namespace unlearn::pairs
