// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "pairs/cleaning/cleaning_kinds.hpp"

namespace unlearn::tool {

using pairs::cleaning_of;
using pairs::CleaningOptions;

/// Gives a command an option for each of pairs::cleaning_kinds(), such as `--jpeg`.
/// @param options must live until the command line is parsed
void add_cleaning_options(CLI::App& command, CleaningOptions& options);

}  // namespace unlearn::tool
