// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unlearn {

/// The mean loss of a stage over the batches of one round.
struct StageLoss {
  std::string stage{};  ///< the stage's name
  double mean = 0;      ///< the mean loss over its batches

  /// Whether names and means are equal.
  friend bool operator==(const StageLoss&, const StageLoss&) = default;
};

/// Mean losses of one round, in the order in which its stages ran.
struct RoundLosses {
  std::uint32_t round = 0;          ///< counted from 0
  std::vector<StageLoss> stages{};  ///< without the stages that the round left out

  /// The mean loss of `stage`; nothing when the round left it out.
  [[nodiscard]] std::optional<double> of(std::string_view stage) const {
    const auto found = std::ranges::find(stages, stage, &StageLoss::stage);
    return found == stages.end() ? std::nullopt : std::optional(found->mean);
  }

  /// The mean loss of the last stage that ran. A stop loss is compared with it. Nothing if no stage
  /// ran.
  [[nodiscard]] std::optional<double> last() const {
    return stages.empty() ? std::nullopt : std::optional(stages.back().mean);
  }

  /// Whether round, stages and losses are equal.
  friend bool operator==(const RoundLosses&, const RoundLosses&) = default;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
