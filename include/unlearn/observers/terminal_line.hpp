// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

namespace unlearn {

/// Whether an open stream writes to a terminal.
[[nodiscard]] inline bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

/// A line of a terminal that can be drawn many times. At the end the cursor moves to the next line.
class TerminalLine {
 public:
  /// Nothing is drawn yet.
  /// @param stream must stay open as long as this object exists
  explicit TerminalLine(std::FILE* stream) : stream_(stream) {}
  /// Takes the line over; `other` has then drawn nothing.
  TerminalLine(TerminalLine&& other) noexcept
      : stream_(other.stream_), drawn_(std::exchange(other.drawn_, 0)) {}
  /// Exchanges the two lines.
  TerminalLine& operator=(TerminalLine&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(drawn_, other.drawn_);
    return *this;
  }
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;
  /// Calls finish().
  ~TerminalLine() { finish(); }

  /// How many characters fit on a line: one less than the terminal has columns, or 79 if the stream
  /// does not say.
  [[nodiscard]] std::size_t width() const {
    winsize size{};
    const int failed = ::ioctl(::fileno(stream_), TIOCGWINSZ, &size);  // NOLINT(*-vararg)
    return failed != 0 || size.ws_col == 0 ? 79 : size.ws_col - std::size_t{1};
  }

  /// Replaces the drawn text by `text`, which is cut to width() characters.
  void draw(std::string text) {
    text.resize(std::min(text.size(), width()));
    const std::size_t length = text.size();
    text.resize(std::clamp(drawn_, length, std::max(length, width())), ' ');
    std::fputs(text.insert(0, 1, '\r').c_str(), stream_);
    std::fflush(stream_);
    drawn_ = length;
  }

  /// Leaves the drawn text on the screen and moves on to a new line.
  void finish() {
    if (std::exchange(drawn_, 0) == 0) return;
    std::fputc('\n', stream_);
    std::fflush(stream_);
  }

 private:
  std::FILE* stream_;
  std::size_t drawn_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
