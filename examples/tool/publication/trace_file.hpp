// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace unlearn::tool {

/// A line of a protection's trace.csv: the mean loss of each stage of a round. A stage that the
/// round did not run has none.
struct TraceLine {
  std::uint32_t round = 0;  ///< from 1
  std::optional<double> surrogate{};
  std::optional<double> trigger{};
  std::optional<double> noise{};

  friend bool operator==(const TraceLine&, const TraceLine&) = default;
};

/// Writes trace.csv, `round,surrogate,trigger,noise`; complete or not at all.
/// @throws FileError
void write_trace_file(const std::string& path, std::span<const TraceLine> lines);

/// Reads what write_trace_file() wrote.
/// @throws FileError when the file cannot be read or is no such file; the message names the line
[[nodiscard]] std::vector<TraceLine> read_trace_file(const std::string& path);

}  // namespace unlearn::tool
