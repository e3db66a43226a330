// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

/// A value in a JSON file, and where it is there.
struct JsonElement {
  const nlohmann::json& value;
  const std::string& path;
  std::string place;  ///< a JSON pointer, RFC 6901

  void require(bool holds, const char* expected) const {
    if (holds) return;
    require_in_file(holds, path, place.empty() ? "top level" : place, expected, value.type_name());
  }

  [[nodiscard]] bool has(const char* key) const { return value.contains(key); }

  [[nodiscard]] JsonElement operator[](const char* key) const {
    require(value.is_object(), "an object");
    const auto found = value.find(key);
    require_in_file(found != value.end(), path, place + "/" + key, "a value", "nothing");
    return {.value = *found, .path = path, .place = place + "/" + key};
  }

  [[nodiscard]] const std::string& text() const {
    require(value.is_string(), "a string");
    return value.get_ref<const std::string&>();
  }

  [[nodiscard]] std::int64_t number() const {
    require(value.is_number_integer(), "an integer");
    return value.get<std::int64_t>();
  }

  /// Calls work(element) for each of an array.
  template <class Work>
  void for_each(const Work& work) const {
    require(value.is_array(), "an array");
    for (std::size_t i = 0; i < value.size(); ++i) {
      work(JsonElement{.value = value[i], .path = path, .place = place + "/" + std::to_string(i)});
    }
  }
};

}  // namespace unlearn::pairs
