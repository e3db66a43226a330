// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::experiments {

/// The protection that a report names first: of the protected rows of the first table by row, the
/// one with the highest median ranks (by their geometric mean; the first of equals). Null if there
/// is none.
[[nodiscard]] const Cell* strongest_protection(const RunRecord& record);

/// How much of a protection a cleaning leaves, from 0 for nothing to 1 for all of it: the mean over
/// both directions of ln(MedR / MedR of clean pairs) / ln(MedR uncleaned / MedR of clean pairs).
/// Absent where a rank is absent, or where there is no protection to lose.
[[nodiscard]] std::optional<double> share_left(const Scores& clean, const Scores& uncleaned,
                                               const Scores& cleaned);

/// "removes the protection", "weakens the protection", ...: what such a share means.
[[nodiscard]] std::string_view effect_in_words(double share);

/// What a table of cleanings is compared with: its uncleaned cell, or else the scores of its row in
/// the first table by row; null without either.
[[nodiscard]] const Scores* uncleaned_scores(const TableRecord& table, const RunRecord& record);

/// The run in plain sentences, a paragraph each; nothing that its numbers do not say.
[[nodiscard]] std::vector<std::string> summarize(const RunRecord& record);

}  // namespace unlearn::tool::experiments
