// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/cleaning_options.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstddef>
#include <string>

namespace unlearn::tool {

void add_cleaning_options(CLI::App& command, CleaningOptions& options) {
  std::size_t i = 0;
  for (const pairs::CleaningKind& kind : pairs::cleaning_kinds()) {
    const std::string name = "--" + std::string(kind.name);
    int& number = options.numbers[i++];
    CLI::Option* const option = kind.has_number()
                                    ? command.add_option(name, number, std::string(kind.help))
                                          ->check(CLI::Range(kind.least, kind.most))
                                    : command.add_flag(name, number, std::string(kind.help));
    option->group("Cleaning of the training pairs, in this order");
  }
}

}  // namespace unlearn::tool
