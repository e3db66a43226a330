// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/count_line.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "unlearn/io/number_text.hpp"

namespace unlearn::tool {
namespace {

/// "h:mm:ss", or "m:ss" below an hour.
std::string duration_text(double seconds) {
  constexpr double most = 999 * 3600.0;
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds + 0.5, 0.0, most));
  const auto two_digits = [](std::uint64_t number) {
    return (number < 10 ? ":0" : ":") + std::to_string(number);
  };
  const std::uint64_t hours = whole / 3600;
  const std::uint64_t minutes = whole / 60 % 60;
  return (hours > 0 ? std::to_string(hours) + two_digits(minutes) : std::to_string(minutes)) +
         two_digits(whole % 60);
}

}  // namespace

CountLine::CountLine(std::string doing, bool quiet)
    : doing_(std::move(doing)),
      begin_(std::chrono::steady_clock::now()),
      next_(begin_ + std::chrono::seconds(2)) {
  if (!quiet && unlearn::is_terminal(stderr)) line_.emplace(stderr);
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
    text += "  " + unlearn::rounded_text(rate, 3) + "/s";
    text += done < all ? "  ETA " + duration_text(static_cast<double>(all - done) / rate)
                       : "  in " + duration_text(passed.count());
  }
  line_->draw(std::move(text));
  if (done == all) line_->finish();
}

}  // namespace unlearn::tool
