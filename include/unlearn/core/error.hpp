// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace unlearn {

/// Base of every exception that the library throws itself.
///
/// `what()` reads "<thing>: expected <expectation>, got <what came>".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A shape, a setting or a value that an algorithm cannot work with.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, truncated, foreign, or cannot be written.
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

/// "thing: expected this, got that"
template <class Expected, class Got>
std::string expectation(std::string_view thing, const Expected& expected, const Got& got) {
  std::string message(thing);
  message += ": expected ";
  message += detail::in_words(expected);
  message += ", got ";
  message += detail::in_words(got);
  return message;
}

/// @throws InvalidArgument unless `holds`.
template <class Expected, class Got>
void require(bool holds, std::string_view thing, const Expected& expected, const Got& got) {
  if (!holds) [[unlikely]]
    throw InvalidArgument(expectation(thing, expected, got));
}

/// @throws InvalidArgument unless the two sizes agree.
inline void require_size(std::string_view thing, std::size_t expected, std::size_t got) {
  require(expected == got, thing, expected, got);
}

}  // namespace unlearn
