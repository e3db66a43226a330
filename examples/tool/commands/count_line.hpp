// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "unlearn/observers/terminal_line.hpp"

namespace unlearn::tool {

/// Shows on one line of stderr how many of all items are done, and how long the rest will take:
///
///     verifying images: 1230 of 6091  412/s  ETA 0:12
///
/// Shows nothing where stderr is no terminal, and nothing in the first two seconds: most work is
/// done by then. Redraws the line ten times a second at most, and leaves the last one there.
class CountLine {
 public:
  /// @param doing what the user reads first: "verifying images"
  /// @param quiet nothing is shown, even on a terminal
  CountLine(std::string doing, bool quiet);

  /// Draws the line again, unless it was drawn a moment ago.
  void operator()(std::size_t done, std::size_t all);

 private:
  std::string doing_;
  std::optional<TerminalLine> line_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace unlearn::tool
