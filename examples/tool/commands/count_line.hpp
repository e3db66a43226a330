// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "unlearn/observers/terminal_line.hpp"

namespace unlearn::tool {

/// Shows on one line of stderr how many of all are done, and how long the others will take:
///
///     verifying images: 1230 of 6091  412/s  ETA 0:12
///
/// Quiet where there is no terminal, and during the first two seconds: what is done by then needs
/// no line. Drawn ten times a second at most. What is drawn last is left standing.
class CountLine {
 public:
  /// @param doing what is done: "verifying images"
  /// @param quiet nothing is shown, even on a terminal
  CountLine(std::string doing, bool quiet);

  /// Draws the line anew.
  void operator()(std::size_t done, std::size_t all);

 private:
  std::string doing_;
  std::optional<unlearn::TerminalLine> line_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace unlearn::tool
