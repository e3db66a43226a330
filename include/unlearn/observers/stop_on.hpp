// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <utility>

#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn {

/// An observer that ends a run after the batch during which a stop was requested.
struct StopOn {
  std::stop_token token;  ///< the token through which the stop is requested

  /// Flow::stop if a stop has been requested.
  [[nodiscard]] Flow operator()(const BatchEnd& /*event*/) const {
    return token.stop_requested() ? Flow::stop : Flow::proceed;
  }
};

/// An observer that lets another thread end a run between two batches: see StopOn.
/// @param token the token of the std::stop_source through which the other thread requests the stop
[[nodiscard]] inline StopOn stop_on(std::stop_token token) { return {std::move(token)}; }

}  // namespace unlearn
