// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tool/experiments/figures.hpp"
#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::experiments {

/// The report as one HTML file: images, figures and style are in it, it needs nothing else and
/// runs nothing. The same record and figures make the same bytes.
[[nodiscard]] std::string report_page(const RunRecord& record, const std::vector<Figure>& figures);

/// Writes report_page(). The file is there complete or not at all.
/// @throws FileError when it cannot be written. An earlier file at `path` is then unchanged.
void write_report(const std::string& path, const RunRecord& record,
                  const std::vector<Figure>& figures);

}  // namespace unlearn::tool::experiments
