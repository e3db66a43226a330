// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace unlearn {

/// The base of every exception that the library itself throws.
///
/// `what()` is "<thing>: expected <what the library needs>, got <what it was given>".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown for a shape, a setting or a value that an algorithm cannot work with.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// Thrown for a file that is missing, truncated or of another format, or that cannot be written.
class FileError : public Error {
 public:
  using Error::Error;
};

namespace detail {

inline std::string in_words(std::string_view text) { return std::string(text); }

template <class Number>
  requires(std::is_arithmetic_v<Number>)
std::string in_words(Number number) {
  return std::to_string(number);
}

}  // namespace detail

/// The message of an exception: "<thing>: expected <expected>, got <got>".
/// @param thing    what was checked, such as "width of a beam search"
/// @param expected a text or a number
/// @param got      a text or a number
template <class Expected, class Got>
std::string expectation(std::string_view thing, const Expected& expected, const Got& got) {
  std::string message(thing);
  message += ": expected ";
  message += detail::in_words(expected);
  message += ", got ";
  message += detail::in_words(got);
  return message;
}

/// Checks an argument.
/// @param holds    whether it is as expected
/// @param thing    what was checked, such as "width of a beam search"
/// @param expected a text or a number
/// @param got      a text or a number
/// @throws InvalidArgument unless `holds`; its message is expectation(thing, expected, got)
template <class Expected, class Got>
void require(bool holds, std::string_view thing, const Expected& expected, const Got& got) {
  if (!holds) [[unlikely]]
    throw InvalidArgument(expectation(thing, expected, got));
}

/// Checks a size.
/// @throws InvalidArgument unless `got` is `expected`; `thing` says which size it is
inline void require_size(std::string_view thing, std::size_t expected, std::size_t got) {
  require(expected == got, thing, expected, got);
}

/// Checks a number of equal parts, before memory is taken for them.
/// @param thing what is counted
/// @param count how many there are
/// @param each  the elements of each
/// @tparam T    the type of an element
/// @returns count · each, the elements of an array that holds all of them
/// @throws InvalidArgument when that is more than memory can be addressed for
template <class T>
std::size_t require_addressable(std::string_view thing, std::size_t count, std::size_t each) {
  constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
  const std::size_t most = each == 0 ? count : limit / each;
  require(count <= most, thing, "at most " + detail::in_words(most), count);
  return count * each;
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
