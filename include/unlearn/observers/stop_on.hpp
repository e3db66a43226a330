// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <utility>

#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn {

/// An observer that ends the run after the batch during which a stop was requested.
struct StopOn {
  std::stop_token token;  ///< whose stop is waited for

  /// Stop once a stop has been requested.
  [[nodiscard]] Flow operator()(const BatchEnd& /*event*/) const {
    return token.stop_requested() ? Flow::stop : Flow::proceed;
  }
};

/// Lets another thread, or a signal handler's thread, end a run between two batches.
[[nodiscard]] inline StopOn stop_on(std::stop_token token) { return {std::move(token)}; }

}  // namespace unlearn
