// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>

#include "pairs/files/enum_names.hpp"

namespace unlearn::tool {

/// Adds an option whose value is an enumerator, by its name. CLI11's CheckedTransformer would also
/// take the enumerators' numbers, and show them in the help text.
/// @param value must live until the command line is parsed
template <pairs::NamedEnum Enum>
CLI::Option* add_enum_option(CLI::App& command, const std::string& flag, Enum& value,
                             const std::string& help) {
  const auto take = [&value](const std::string& name) {
    value = pairs::enum_named<Enum>(name).value();
  };
  return command.add_option_function<std::string>(flag, take, help)
      ->check(CLI::IsMember(pairs::all_names<Enum>()))
      ->default_str(std::string(pairs::name_of(value)));
}

}  // namespace unlearn::tool
