// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/count_line.hpp"

#include <cstdio>
#include <utility>

#include "unlearn/io/number_text.hpp"

namespace unlearn::tool {

CountLine::CountLine(std::string doing, bool quiet)
    : doing_(std::move(doing)),
      begin_(std::chrono::steady_clock::now()),
      next_(begin_ + std::chrono::seconds(2)) {
  if (!quiet && is_terminal(stderr)) line_.emplace(stderr);
}

void CountLine::operator()(std::size_t done, std::size_t all) {
  if (!line_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool drawn = next_ > begin_ + std::chrono::seconds(2);
  if (now < next_ && (done < all || !drawn)) return;
  next_ = now + std::chrono::milliseconds(100);
  const std::chrono::duration<double> passed = now - begin_;
  std::string text = doing_ + ": " + std::to_string(done) + " of " + std::to_string(all);
  if (done > 0 && passed.count() > 0) {
    const double rate = static_cast<double>(done) / passed.count();
    text += "  " + rounded_text(rate, 3) + "/s";
    text += done < all ? "  ETA " + duration_text(static_cast<double>(all - done) / rate)
                       : "  in " + duration_text(passed.count());
  }
  line_->draw(std::move(text));
  if (done == all) line_->finish();
}

}  // namespace unlearn::tool
