// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::experiments {

/// The text of report.json: all of a record but what is in the files that it names. The fields are
/// listed once, in report_file.cpp, for writing and for reading.
[[nodiscard]] std::string report_text(const RunRecord& record);

/// Writes report_text(). The file is there complete or not at all.
/// @throws FileError
void write_report_file(const std::string& path, const RunRecord& record);

/// Reads what report_text() writes, which may come from anybody. A field may be absent; one that it
/// does not know is passed over.
/// @throws FileError when the file cannot be read, is too large or malformed, or names an
///         experiment that does not exist. The message names the field.
[[nodiscard]] RunRecord read_report_file(const std::string& path);

}  // namespace unlearn::tool::experiments
