// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace unlearn {

// Streams and printf write numbers as the locale has it; what stands in files must not depend on
// that, and must be read back to the last bit.

/// The shortest decimal text that reads back as exactly this number.
template <class Number>
  requires(std::is_arithmetic_v<Number>)
[[nodiscard]] std::string number_text(Number number) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), written.ptr};
}

/// At most `digits` significant digits, for people.
[[nodiscard]] inline std::string rounded_text(double number, int digits) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number,
                                     std::chars_format::general, digits);
  return {text.data(), written.ptr};
}

/// 16 hexadecimal digits, for checksums.
[[nodiscard]] inline std::string hex_text(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, number /= 16) {
    text[i - 1] = "0123456789abcdef"[number % 16];
  }
  return text;
}

/// Reads all of `text` as one number.
/// @return whether it was one, and in range
template <class Number>
[[nodiscard]] bool parse_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the end is given
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end;
}

}  // namespace unlearn
