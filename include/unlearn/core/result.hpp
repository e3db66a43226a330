// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace unlearn {

/// Why a run ended.
enum class StopReason {
  running,              ///< it has not ended
  converged,            ///< the loss fell below the threshold asked for
  step_limit,           ///< all steps were taken
  round_limit,          ///< all rounds were run
  not_finite,           ///< a value or gradient was NaN or infinite; the last good state is kept
  stopped_by_observer,  ///< an observer answered Flow::stop
};

/// The reason as a word, as it stands in traces and files.
[[nodiscard]] constexpr std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::running: return "running";
    case StopReason::converged: return "converged";
    case StopReason::step_limit: return "step_limit";
    case StopReason::round_limit: return "round_limit";
    case StopReason::not_finite: return "not_finite";
    case StopReason::stopped_by_observer: return "stopped_by_observer";
  }
  return "unknown";
}

/// Whether a loss is driven down (error-minimising) or up (adversarial).
enum class Goal { minimize, maximize };

}  // namespace unlearn
