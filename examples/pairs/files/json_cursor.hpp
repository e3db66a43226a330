// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

/// A value in a JSON file, and where it is. Whoever reads through cursors gets one kind of message
/// for whatever is wrong: the file, the place as a JSON pointer (RFC 6901), what was expected, and
/// what is there.
///
///     file 'manifest.json', /images/3/sha256: expected a string, got 7
///
/// A cursor refers to the value and to the file's name; both must outlive it.
class JsonCursor {
 public:
  /// @param file    the file's name, for messages
  /// @param pointer where in the file the value is; empty for all of it
  JsonCursor(const nlohmann::json& value, const std::string& file, std::string pointer = {})
      : value_(&value), file_(&file), pointer_(std::move(pointer)) {}

  [[nodiscard]] const nlohmann::json& value() const { return *value_; }
  [[nodiscard]] const std::string& file() const { return *file_; }
  /// The JSON pointer; "top level" for all of the file.
  [[nodiscard]] std::string place() const { return pointer_.empty() ? "top level" : pointer_; }
  /// The value as messages show it: a scalar itself, else its type.
  [[nodiscard]] std::string shown() const;

  /// @throws FileError that names this place, unless `holds`
  template <class Expected, class Got>
  void require(bool holds, const Expected& expected, const Got& got) const {
    if (!holds) require_in_file(false, *file_, place(), expected, got);
  }
  /// The same; what is there is the value itself.
  template <class Expected>
  void require(bool holds, const Expected& expected) const {
    if (!holds) require(false, expected, shown());
  }

  /// Whether this is an object with such a member.
  [[nodiscard]] bool has(std::string_view key) const;
  /// A member that must be there.
  /// @throws FileError when this is no object, or has no such member
  [[nodiscard]] JsonCursor operator[](std::string_view key) const;
  /// A member that may be absent.
  /// @throws FileError when this is no object
  [[nodiscard]] std::optional<JsonCursor> find(std::string_view key) const;
  /// All members with their names, which are sorted.
  /// @throws FileError when this is no object
  [[nodiscard]] std::vector<std::pair<std::string, JsonCursor>> members() const;
  /// All elements, in order.
  /// @throws FileError when this is no array
  [[nodiscard]] std::vector<JsonCursor> elements() const;

  /// @throws FileError when this is no string
  [[nodiscard]] const std::string& text() const;
  /// @throws FileError when this is neither true nor false
  [[nodiscard]] bool boolean() const;
  /// @throws FileError when this is no integer of 64 bits with a sign
  [[nodiscard]] std::int64_t integer() const;
  /// An integer that is not negative.
  /// @throws FileError when this is none, or out of range
  [[nodiscard]] std::uint64_t whole_number(
      std::uint64_t least = 0,
      std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;
  /// @throws FileError when this is no number, or out of range
  [[nodiscard]] double number(double least = -std::numeric_limits<double>::infinity(),
                              double most = std::numeric_limits<double>::infinity()) const;
  /// A SHA-256: 64 hexadecimal digits in lower case.
  /// @throws FileError when this is none
  [[nodiscard]] const std::string& sha256() const;

 private:
  [[nodiscard]] JsonCursor member(std::string_view key, const nlohmann::json& value) const;

  const nlohmann::json* value_;
  const std::string* file_;
  std::string pointer_;
};

/// How much of a JSON file is read.
struct JsonLimits {
  std::size_t bytes = std::size_t{256} << 20U;
  std::size_t depth = 32;  ///< of arrays and objects in each other
};

/// A JSON file that was read. It must outlive its cursors.
class JsonFile {
 public:
  /// @throws FileError when the file cannot be read, is no regular file, or is larger than
  ///         `limits.bytes`; or for what parse_json() refuses
  explicit JsonFile(std::string path, const JsonLimits& limits = {});
  JsonFile(const JsonFile&) = delete;
  JsonFile& operator=(const JsonFile&) = delete;

  [[nodiscard]] JsonCursor top() const { return {value_, path_}; }

 private:
  std::string path_;
  nlohmann::json value_;
};

}  // namespace unlearn::pairs
