// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::report {

/// The protection that a report speaks of first: of all rows but "random" and "clean" the one with
/// the highest median ranks (by their geometric mean; the first of equals). Null without one.
[[nodiscard]] const NamedScores* strongest_protection(const RunRecord& record);

/// How much of a protection a cleaning leaves, from 0 for nothing to 1 for all of it: the mean over
/// both directions of ln(MedR / MedR of clean pairs) / ln(MedR uncleaned / MedR of clean pairs).
/// Absent where a rank is, or where there is no protection that could be lost.
[[nodiscard]] std::optional<double> share_left(const Scores& clean, const Scores& uncleaned,
                                               const Scores& cleaned);

/// "removes the protection", "weakens the protection", ...: what such a share means.
[[nodiscard]] std::string_view effect_in_words(double share);

/// The run in plain sentences, a paragraph each; nothing that its numbers do not say.
[[nodiscard]] std::vector<std::string> summarize(const RunRecord& record);

}  // namespace unlearn::tool::report
