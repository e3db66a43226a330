// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace unlearn::pairs {

/// An enumerator, as files and command lines spell it.
template <class Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

/// An enumeration has names where a function enum_names(Enum), found by its argument, returns an
/// array of EnumName, all enumerators in the order of a menu.
template <class Enum>
concept NamedEnum = std::is_enum_v<Enum> && requires { enum_names(Enum{}); };

/// The spelling of an enumerator.
template <NamedEnum Enum>
[[nodiscard]] std::string_view name_of(Enum value) {
  const auto names = enum_names(value);
  return std::ranges::find(names, value, &EnumName<Enum>::value)->name;
}

/// The enumerator with this spelling; nothing if there is none.
template <NamedEnum Enum>
[[nodiscard]] std::optional<Enum> enum_named(std::string_view name) {
  const auto names = enum_names(Enum{});
  const auto found = std::ranges::find(names, name, &EnumName<Enum>::name);
  if (found == names.end()) return std::nullopt;
  return found->value;
}

/// All spellings.
template <NamedEnum Enum>
[[nodiscard]] std::vector<std::string> all_names() {
  std::vector<std::string> all;
  for (const auto& [value, name] : enum_names(Enum{})) all.emplace_back(name);
  return all;
}

}  // namespace unlearn::pairs
