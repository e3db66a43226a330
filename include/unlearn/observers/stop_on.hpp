// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <utility>

#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn {

/// An observer that ends a run after the batch during which a stop was requested.
/// @tparam Token std::stop_token, or a type of your own with `stop_requested()`, which another
///               thread may change
template <class Token>
  requires requires(const Token& token) {
    { token.stop_requested() } -> std::convertible_to<bool>;
  }
struct StopOn {
  Token token;  ///< the token through which the stop is requested

  /// Flow::stop if a stop has been requested.
  [[nodiscard]] Flow operator()(const BatchEnd& /*event*/) const {
    return token.stop_requested() ? Flow::stop : Flow::proceed;
  }
};

/// An observer that lets another thread end a run between two batches: see StopOn.
/// @param token of the std::stop_source through which the other thread requests the stop
template <class Token>
[[nodiscard]] StopOn<Token> stop_on(Token token) {
  return {std::move(token)};
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
