// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tool/experiments/preset.hpp"
#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::experiments {

/// The tables of a preset's experiments. Each cell is the mean over all its hackers; cells without
/// hackers and tables without cells are left out.
[[nodiscard]] std::vector<TableRecord> tables_of(const Preset& preset,
                                                 const std::vector<TrainedHacker>& runs);

/// The tables as text for the terminal.
[[nodiscard]] std::string tables_text(const Preset& preset, const RunRecord& record);

}  // namespace unlearn::tool::experiments
