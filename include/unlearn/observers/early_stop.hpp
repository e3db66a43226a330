// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// When EarlyStop gives up.
struct EarlyStopOptions {
  std::uint32_t patience = 3;  ///< so many rounds in a row may pass without an improvement
  double min_delta = 0.0;      ///< an improvement is a loss lower than the best by more than this
};

/// An observer that ends a minimising run when RoundLosses::last() no longer falls.
///
/// A NaN is no improvement. A resumed run counts on from the rounds in its state.
class EarlyStop {
 public:
  /// @throws InvalidArgument unless patience is at least 1 and min_delta at least 0
  explicit EarlyStop(const EarlyStopOptions& options) : options_(options) {
    require(options.patience > 0, "patience", "at least 1", options.patience);
    require(options.min_delta >= 0, "min_delta", "at least 0", options.min_delta);
  }

  /// Forgets what a run before this one did, and counts in what this one, resumed, did before.
  void operator()(const RunBegin& event) {
    seen_ = {};
    for (const RoundLosses& losses : event.complete) see(losses);
  }

  /// Stop after `patience` rounds without an improvement.
  [[nodiscard]] Flow operator()(const RoundEnd& event) {
    see(event.losses);
    return seen_.stale >= options_.patience ? Flow::stop : Flow::proceed;
  }

 private:
  struct Seen {
    std::uint32_t stale = 0;  ///< rounds since the best one
    double best = std::numeric_limits<double>::infinity();
  };

  void see(const RoundLosses& losses) {
    ++seen_.stale;
    const std::optional<double> loss = losses.last();
    if (loss && is_finite(*loss) && *loss < seen_.best - options_.min_delta) {
      seen_.best = *loss;
      seen_.stale = 0;
    }
  }

  EarlyStopOptions options_;
  Seen seen_{};
};

/// Ends a run after `patience` rounds without a lower loss.
/// @throws InvalidArgument unless patience is at least 1 and min_delta at least 0
[[nodiscard]] inline EarlyStop early_stop(const EarlyStopOptions& options = {}) {
  return EarlyStop(options);
}

}  // namespace unlearn
