// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstdint>
#include <optional>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// When EarlyStop ends a run.
struct EarlyStopOptions {
  std::uint32_t patience = 3;  ///< so many rounds without an improvement end the run; at least 1
  double min_delta = 0.0;      ///< an improvement lowers the best loss by more than this
};

/// An observer that ends a run when the last loss of its rounds (RoundLosses::last()) no longer
/// falls. For runs that minimise.
///
/// A loss of NaN is not an improvement. A resumed run also counts the rounds before the resume.
class EarlyStop {
 public:
  /// No round has been seen.
  /// @throws InvalidArgument unless patience is at least 1 and min_delta at least 0
  explicit EarlyStop(const EarlyStopOptions& options) : options_(options) {
    require(options.patience > 0, "patience", "at least 1", options.patience);
    require(is_at_least(options.min_delta, 0), "min_delta", "at least 0", options.min_delta);
  }

  /// Starts anew with the rounds that are complete before the run: none, or those before a resume.
  void operator()(const RunBegin& event) {
    seen_ = {};
    for (const RoundLosses& losses : event.complete) see(losses);
  }

  /// Counts a round.
  /// @returns Flow::stop after `patience` rounds without an improvement
  [[nodiscard]] Flow operator()(const RoundEnd& event) {
    see(event.losses);
    return seen_.stale >= options_.patience ? Flow::stop : Flow::proceed;
  }

 private:
  struct Seen {
    std::uint32_t stale = 0;  ///< rounds since the best one
    std::optional<double> best{};
  };

  void see(const RoundLosses& losses) {
    ++seen_.stale;
    const std::optional<double> loss = losses.last();
    if (!loss || !is_finite(*loss)) return;
    if (!seen_.best || *loss < *seen_.best - options_.min_delta) {
      seen_.best = loss;
      seen_.stale = 0;
    }
  }

  EarlyStopOptions options_;
  Seen seen_{};
};

/// An observer that ends a run after `patience` rounds without a lower loss: see EarlyStop.
/// @param options patience and least improvement
/// @throws InvalidArgument unless patience is at least 1 and min_delta at least 0
[[nodiscard]] inline EarlyStop early_stop(const EarlyStopOptions& options = {}) {
  return EarlyStop(options);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
