// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/decimal.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace unlearn::tool::experiments {

std::string decimal(double value, int digits) {
  std::array<char, 400> buffer{};  // the largest double has 309 digits
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::fixed, digits);
  return {buffer.data(), written.ptr};
}

std::string rank_in_words(double rank) {
  return decimal(rank, std::abs(rank - std::round(rank)) < 0.05 ? 0 : 1);
}

std::string ratio_in_words(double ratio) { return decimal(ratio, ratio < 9.95 ? 1 : 0); }

std::string duration_in_words(double seconds) {
  if (seconds < 10) return decimal(seconds, 1) + " s";
  const double whole = std::round(seconds);
  const double minutes = std::floor(whole / 60);
  if (minutes < 1) return decimal(whole, 0) + " s";
  if (minutes < 60) return decimal(minutes, 0) + " min " + decimal(whole - minutes * 60, 0) + " s";
  const double hours = std::floor(minutes / 60);
  return decimal(hours, 0) + " h " + decimal(minutes - hours * 60, 0) + " min";
}

}  // namespace unlearn::tool::experiments
