// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/json_cursor.hpp"

#include <algorithm>

#include "pairs/files/json_text.hpp"
#include "pairs/files/regular_file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::pairs {
namespace {

using nlohmann::json;

/// A name as a part of a JSON pointer; in quotes where it could garble a message.
std::string pointer_part(std::string_view key) {
  constexpr std::size_t longest = 64;
  const bool plain = key.size() <= longest &&
                     std::ranges::all_of(key, [](char c) { return c >= ' ' && c <= '~'; });
  if (!plain) return "/" + json_quoted(key);
  std::string part = "/";
  for (const char c : key) {
    if (c == '~') {
      part += "~0";
    } else if (c == '/') {
      part += "~1";
    } else {
      part += c;
    }
  }
  return part;
}

}  // namespace

std::string JsonCursor::shown() const {
  if (value_->is_string()) return json_quoted(value_->get_ref<const std::string&>());
  return value_->is_primitive() ? value_->dump() : value_->type_name();
}

bool JsonCursor::has(std::string_view key) const {
  return value_->is_object() && value_->contains(key);
}

JsonCursor JsonCursor::member(std::string_view key, const json& value) const {
  return {value, *file_, pointer_ + pointer_part(key)};
}

JsonCursor JsonCursor::operator[](std::string_view key) const {
  const auto found = find(key);
  if (!found) member(key, *value_).require(false, "a value", "nothing");
  return *found;  // NOLINT(bugprone-unchecked-optional-access): require() has thrown
}

std::optional<JsonCursor> JsonCursor::find(std::string_view key) const {
  require(value_->is_object(), "an object");
  const auto found = value_->find(key);
  if (found == value_->end()) return std::nullopt;
  return member(key, *found);
}

std::vector<std::pair<std::string, JsonCursor>> JsonCursor::members() const {
  require(value_->is_object(), "an object");
  std::vector<std::pair<std::string, JsonCursor>> all;
  for (const auto& item : value_->items()) {
    all.emplace_back(item.key(), member(item.key(), item.value()));
  }
  return all;
}

std::vector<JsonCursor> JsonCursor::elements() const {
  require(value_->is_array(), "an array");
  std::vector<JsonCursor> all;
  all.reserve(value_->size());
  for (const json& element : *value_) {
    all.emplace_back(element, *file_, pointer_ + "/" + std::to_string(all.size()));
  }
  return all;
}

const std::string& JsonCursor::text() const {
  require(value_->is_string(), "a string");
  return value_->get_ref<const std::string&>();
}

bool JsonCursor::boolean() const {
  require(value_->is_boolean(), "true or false");
  return value_->get<bool>();
}

std::int64_t JsonCursor::integer() const {
  const bool fits = value_->is_number_integer() &&
                    (!value_->is_number_unsigned() ||
                     value_->get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
  require(fits, "an integer");
  return value_->get<std::int64_t>();
}

std::uint64_t JsonCursor::whole_number(std::uint64_t least, std::uint64_t most) const {
  // A value made in the program can be positive and have a signed type.
  const bool whole = value_->is_number_unsigned() ||
                     (value_->is_number_integer() && value_->get<std::int64_t>() >= 0);
  const bool holds =
      whole && value_->get<std::uint64_t>() >= least && value_->get<std::uint64_t>() <= most;
  if (!holds) {
    std::string expected = "an integer, " + number_text(least);
    expected += most < std::numeric_limits<std::uint64_t>::max() ? " to " + number_text(most)
                                                                 : std::string(" or more");
    require(false, expected);
  }
  return value_->get<std::uint64_t>();
}

double JsonCursor::number(double least, double most) const {
  const bool holds =
      value_->is_number() && value_->get<double>() >= least && value_->get<double>() <= most;
  if (!holds) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::string expected = "a number";
    if (least > -infinity) {
      expected += ", " + number_text(least);
      expected += most < infinity ? " to " + number_text(most) : std::string(" or more");
    }
    require(false, expected);
  }
  return value_->get<double>();
}

const std::string& JsonCursor::sha256() const {
  const std::string& digits = text();
  const bool holds = digits.size() == 64 && std::ranges::all_of(digits, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  require(holds, "64 hexadecimal digits in lower case");
  return digits;
}

JsonFile::JsonFile(std::string path, const JsonLimits& limits) : path_(std::move(path)) {
  require_regular_file(path_);
  const FileMapping file(path_);
  require_in_file(file.bytes().size() <= limits.bytes, path_, "size in bytes",
                  "at most " + std::to_string(limits.bytes), file.bytes().size());
  const std::string_view text(
      reinterpret_cast<const char*>(file.bytes().data()),  // NOLINT(*-reinterpret-cast): as text
      file.bytes().size());
  value_ = parse_json(text, path_, "contents", limits.depth);
}

}  // namespace unlearn::pairs
