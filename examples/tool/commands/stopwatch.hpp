// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace unlearn::tool {

/// Measures time from its construction.
class Stopwatch {
 public:
  /// Seconds since it was made.
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace unlearn::tool
