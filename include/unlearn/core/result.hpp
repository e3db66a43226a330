// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <string_view>

namespace unlearn {

/// Why a run ended.
enum class StopReason {
  running,              ///< it has not ended
  converged,            ///< the loss fell below the given threshold
  step_limit,           ///< all steps were taken
  round_limit,          ///< all rounds were run
  not_finite,           ///< a value or gradient was NaN or infinite; the last good state is kept
  stopped_by_observer,  ///< an observer returned Flow::stop
};

/// The reason as a word, as traces and files contain it: the name of the enumerator.
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

/// The direction of a descent.
enum class Goal {
  minimize,  ///< lower the loss: error-minimising noise
  maximize   ///< raise the loss: adversarial noise
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
