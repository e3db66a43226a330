// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

namespace unlearn {

[[nodiscard]] inline bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

/// One line of a terminal that is drawn again and again, and left as a whole line at the end.
class TerminalLine {
 public:
  explicit TerminalLine(std::FILE* stream) : stream_(stream) {}
  TerminalLine(TerminalLine&& other) noexcept
      : stream_(other.stream_), drawn_(std::exchange(other.drawn_, 0)) {}
  TerminalLine& operator=(TerminalLine&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(drawn_, other.drawn_);
    return *this;
  }
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;
  ~TerminalLine() { finish(); }

  /// How many characters fit without the cursor leaving the line.
  [[nodiscard]] std::size_t width() const {
    winsize size{};
    const int failed = ::ioctl(::fileno(stream_), TIOCGWINSZ, &size);  // NOLINT(*-vararg)
    return failed != 0 || size.ws_col == 0 ? 79 : size.ws_col - std::size_t{1};
  }

  /// Puts `text`, cut to the width, where the last drawn text stands.
  void draw(std::string text) {
    text.resize(std::min(text.size(), width()));
    const std::size_t length = text.size();
    text.resize(std::clamp(drawn_, length, std::max(length, width())), ' ');
    std::fputs(text.insert(0, 1, '\r').c_str(), stream_);
    std::fflush(stream_);
    drawn_ = length;
  }

  /// Leaves the line as it is; what is written next begins a new one.
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
