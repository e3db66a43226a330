// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace unlearn::testing {

/// A request to stop, as std::stop_source has it, for standard libraries without <stop_token>.
struct StopFlag {
  /// What std::stop_token is to a std::stop_source.
  struct Token {
    const std::atomic<bool>* requested;
    [[nodiscard]] bool stop_requested() const { return *requested; }
  };

  std::atomic<bool> requested = false;
  [[nodiscard]] Token get_token() const { return {&requested}; }
};

}  // namespace unlearn::testing
