// SPDX-License-Identifier: Apache-2.0
#include "progress_line.hpp"

#include <cstdio>
#include <utility>

namespace unlearn::tool {

ProgressLine::ProgressLine(std::string label, bool shown)
    : label_(std::move(label)),
      line_(stderr),
      shown_(shown && unlearn::detail::is_terminal(stderr)),
      begin_(Clock::now()),
      next_(begin_ + std::chrono::seconds(2)) {}

void ProgressLine::operator()(std::size_t done, std::size_t all) {
  const auto now = Clock::now();
  if (!shown_ || now < next_ || done == 0) return;
  next_ = now + std::chrono::milliseconds(100);
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double rate = static_cast<double>(done) / elapsed;
  const auto left = static_cast<unsigned>(static_cast<double>(all - done) / rate + 0.5);
  char text[160];
  std::snprintf(text, sizeof text, "%s: %zu of %zu  %.4g/s  ETA %u:%02u", label_.c_str(), done, all,
                rate, left / 60, left % 60);
  line_.draw(text);
}

}  // namespace unlearn::tool
