// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <clocale>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <version>

namespace unlearn {

// Streams and printf follow the locale. The numbers in files must not depend on it, and must read
// back exactly.

/// The shortest decimal text that reads back as exactly this number. The locale has no effect.
template <class Number>
  requires(std::is_arithmetic_v<Number>)
[[nodiscard]] std::string number_text(Number number) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), written.ptr};
}

/// A number rounded for people to read.
/// @param number the number
/// @param digits the most significant digits to write
/// @returns such as "0.3125" or "1.25e+08"; the locale has no effect
[[nodiscard]] inline std::string rounded_text(double number, int digits) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number,
                                     std::chars_format::general, digits);
  return {text.data(), written.ptr};
}

/// A duration for people, to the second: "m:ss", or "h:mm:ss" from one hour on. Negative durations
/// are shown as 0:00, longer ones than 999 hours as 999:00:00.
[[nodiscard]] inline std::string duration_text(double seconds) {
  constexpr double most = 999 * 3600.0;
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds + 0.5, 0.0, most));
  const auto two_digits = [](std::uint64_t number) {
    return (number < 10 ? ":0" : ":") + number_text(number);
  };
  const std::uint64_t hours = whole / 3600;
  const std::uint64_t minutes = whole / 60 % 60;
  const std::string head =
      hours > 0 ? number_text(hours) + two_digits(minutes) : number_text(minutes);
  return head + two_digits(whole % 60);
}

/// A number as 16 hexadecimal digits, in lower case; for checksums.
[[nodiscard]] inline std::string hex_text(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, number /= 16) {
    text[i - 1] = "0123456789abcdef"[number % 16];
  }
  return text;
}

namespace detail {

/// What std::from_chars does for whole texts, for libc++ 19, which has it for integers alone.
template <std::floating_point Number>
[[nodiscard]] bool parse_floating(std::string_view text, Number& number) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  const bool digits = text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  const std::string_view word = text.substr(sign);
  if (word.empty() || word[0] == '+' || word[0] == '-') return false;
  if (!digits && word != "inf" && !word.starts_with("nan")) return false;
  std::string in_locale(text);
  const std::size_t point = in_locale.find('.');
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a program sets its locale once
  if (point != std::string::npos) in_locale.replace(point, 1, std::localeconv()->decimal_point);
  char* stop = nullptr;
  errno = 0;
  if constexpr (std::same_as<Number, float>) {
    number = std::strtof(in_locale.c_str(), &stop);
  } else {
    number = static_cast<Number>(std::strtod(in_locale.c_str(), &stop));
  }
  const bool too_large = errno == ERANGE && (number > 1 || number < -1);
  return stop == in_locale.c_str() + in_locale.size() && !too_large;
}

}  // namespace detail

/// Reads the whole of `text` as one number, whatever the locale.
/// @param text   decimal digits, such as number_text() writes, and nothing else
/// @param number receives the number
/// @returns whether `text` is a number in the range of `Number`; if not, `number` is of no use
template <class Number>
[[nodiscard]] bool parse_number(std::string_view text, Number& number) {
#ifdef __cpp_lib_to_chars
  constexpr bool has_from_chars = true;
#else
  constexpr bool has_from_chars = std::is_integral_v<Number>;
#endif
  if constexpr (has_from_chars) {
    const char* const end = text.data() + text.size();
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `end` bounds the read
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && stop == end;
  } else {
    return detail::parse_floating(text, number);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
