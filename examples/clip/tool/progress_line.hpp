// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "unlearn/detail/terminal_line.hpp"

namespace unlearn::tool {

/// A line on standard error that says how far some work is, with rate and ETA. It appears after two
/// seconds, and only on a terminal.
class ProgressLine {
 public:
  /// @param label what is done, as "reading pictures"
  /// @param shown false keeps it quiet
  ProgressLine(std::string label, bool shown);

  /// Says how much is done.
  void operator()(std::size_t done, std::size_t all);

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  unlearn::detail::TerminalLine line_;
  bool shown_;
  Clock::time_point begin_;
  Clock::time_point next_;
};

}  // namespace unlearn::tool
