// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pairs/files/enum_names.hpp"
#include "pairs/files/json_cursor.hpp"

namespace unlearn::pairs {

// A JSON object is a record. The record's type has a function, found by its argument, that names
// each member once, for writing and for reading:
//
//     template <class Archive, class Record>
//     void describe(Archive& archive, Record& record) {
//       auto& [file, sha256] = record;  // fails to compile when a member is added
//       archive("file", file);
//       archive("sha256", sha256, [](const JsonCursor& value) { (void)value.sha256(); });
//     }
//
// A check, if there is one, is called before a value is read; it throws what the cursor throws.
// Members are strings, numbers, bools, enumerations with names, records, JSON as it is, and
// vectors, maps from strings, and optionals of these. An optional without a value is left out.

class JsonWriter;
class JsonReader;

/// A type that describe() takes.
template <class T>
concept JsonRecord = requires(JsonWriter& archive, const T& record) { describe(archive, record); };

struct NoCheck {
  void operator()(const JsonCursor& /*value*/) const {}
};

/// Makes a JSON object of a record.
class JsonWriter {
 public:
  template <class Value, class Check = NoCheck>
  void operator()(const char* key, const Value& value, const Check& /*check*/ = {}) {
    json_[key] = json_of(value);
  }
  template <class Value, class Check = NoCheck>
  void operator()(const char* key, const std::optional<Value>& value, const Check& /*check*/ = {}) {
    if (value) json_[key] = json_of(*value);
  }

  /// An object within; `members(archive)` names what is in it.
  template <class Members>
  void object(const char* key, const Members& members) {
    JsonWriter inner;
    members(inner);
    json_[key] = std::move(inner.json_);
  }
  /// Members that have no name of their own here.
  void others(const nlohmann::json& members) {
    if (members.is_object()) json_.insert(members.begin(), members.end());
  }

  [[nodiscard]] nlohmann::json take() { return std::move(json_); }

  template <class Value>
  [[nodiscard]] static nlohmann::json json_of(const Value& value) {
    if constexpr (JsonRecord<Value>) {
      JsonWriter inner;
      describe(inner, value);
      return inner.take();
    } else if constexpr (NamedEnum<Value>) {
      return std::string(name_of(value));
    } else {
      return value;
    }
  }
  template <class Value>
  [[nodiscard]] static nlohmann::json json_of(const std::vector<Value>& values) {
    nlohmann::json list = nlohmann::json::array();
    for (const Value& value : values) list.push_back(json_of(value));
    return list;
  }

 private:
  nlohmann::json json_ = nlohmann::json::object();
};

/// Reads a record from a JSON object; members that it does not name are passed over.
class JsonReader {
 public:
  explicit JsonReader(const JsonCursor& from) : from_(from) {}

  template <class Value, class Check = NoCheck>
  void operator()(const char* key, Value& value, const Check& check = {}) {
    named_.emplace_back(key);
    const JsonCursor found = from_[key];
    check(found);
    read(found, value);
  }
  template <class Value, class Check = NoCheck>
  void operator()(const char* key, std::optional<Value>& value, const Check& check = {}) {
    named_.emplace_back(key);
    value.reset();
    const auto found = from_.find(key);
    if (!found || found->value().is_null()) return;
    check(*found);
    read(*found, value.emplace());
  }

  template <class Members>
  void object(const char* key, const Members& members) {
    named_.emplace_back(key);
    JsonReader inner(from_[key]);
    members(inner);
  }
  void others(nlohmann::json& members) {
    members = from_.value();
    for (const std::string& key : named_) members.erase(key);
  }

  template <class Value>
  static void read(const JsonCursor& from, Value& value) {
    if constexpr (JsonRecord<Value>) {
      JsonReader inner(from);
      describe(inner, value);
    } else if constexpr (NamedEnum<Value>) {
      value = read_enum<Value>(from);
    } else if constexpr (std::same_as<Value, bool>) {
      value = from.boolean();
    } else if constexpr (std::unsigned_integral<Value>) {
      value = static_cast<Value>(from.whole_number(0, std::numeric_limits<Value>::max()));
    } else if constexpr (std::floating_point<Value>) {
      value = static_cast<Value>(from.number());
    } else if constexpr (std::same_as<Value, std::string>) {
      value = from.text();
    } else {
      static_assert(std::same_as<Value, nlohmann::json>,
                    "a member of a type that records can have");
      value = from.value();
    }
  }
  template <class Value>
  static void read(const JsonCursor& from, std::vector<Value>& values) {
    values.clear();
    for (const JsonCursor& element : from.elements()) read(element, values.emplace_back());
  }
  template <class Value>
  static void read(const JsonCursor& from, std::map<std::string, Value>& values) {
    values.clear();
    for (const auto& [key, member] : from.members()) read(member, values[key]);
  }

 private:
  template <class Enum>
  static Enum read_enum(const JsonCursor& from) {
    const auto value = enum_named<Enum>(from.text());
    if (!value) {
      std::string expected;
      for (const std::string& name : all_names<Enum>()) {
        expected.append(expected.empty() ? "\"" : " or \"").append(name) += '"';
      }
      from.require(false, expected);
    }
    return *value;  // NOLINT(bugprone-unchecked-optional-access): require() has thrown
  }

  JsonCursor from_;
  std::vector<std::string> named_;
};

/// A record as a JSON object.
template <JsonRecord Record>
[[nodiscard]] nlohmann::json json_of_record(const Record& record) {
  return JsonWriter::json_of(record);
}

/// The record that a JSON object is.
/// @throws FileError that names the place of what is missing or of another type
template <JsonRecord Record>
[[nodiscard]] Record read_record(const JsonCursor& from) {
  Record record{};
  JsonReader::read(from, record);
  return record;
}

}  // namespace unlearn::pairs
