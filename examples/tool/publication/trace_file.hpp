// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "unlearn/mem/round_losses.hpp"

namespace unlearn::tool {

/// The stages of these rounds, in the order in which they first ran.
[[nodiscard]] std::vector<std::string> stages_of(std::span<const RoundLosses> trace);

/// Writes a protection's trace.csv: `round`, counted from 1, and a column for each of stages_of()
/// with its mean loss. The field of a stage that the round left out is empty. The file appears
/// complete or not at all.
/// @throws FileError
void write_trace_file(const std::string& path, std::span<const RoundLosses> trace);

/// Reads what write_trace_file() wrote.
/// @throws FileError when the file cannot be read or is no such file; the message names the line
[[nodiscard]] std::vector<RoundLosses> read_trace_file(const std::string& path);

}  // namespace unlearn::tool
