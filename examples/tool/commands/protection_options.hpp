// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

#include "tool/publication/protection_plan.hpp"

namespace unlearn::tool {

/// Gives a command all options of a plan; see describe_options().
/// @param plan must live until the command line is parsed
void add_protection_options(CLI::App& command, ProtectionPlan& plan);

}  // namespace unlearn::tool
