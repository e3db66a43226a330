// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn {

/// The valid range of a signal's numbers: {x : low ≤ x_i ≤ high}, in the signal's own units.
///
/// Images scaled to [0, 1] need no more than the defaults; infinite ends mean no limit.
template <class T>
struct Box {
  T low = 0;   ///< the lower end; belongs to the range
  T high = 1;  ///< the upper end; belongs to the range

  /// @throws InvalidArgument when an end is NaN or low > high.
  void validate() const {
    require(is_at_least(high, low), "high end of a Box",
            "at least its low end, " + detail::in_words(low), high);
  }

  /// Whether all of these numbers are finite and in the range, in one pass.
  [[nodiscard]] bool contains(std::span<const T> numbers) const {
    // First, because comparisons with NaN mean nothing in programs that assume there is none.
    if (!all_finite(numbers)) return false;
    unsigned outside = 0;
    for (const T& x : numbers) {
      outside |= static_cast<unsigned>(x < low) | static_cast<unsigned>(x > high);
    }
    return outside == 0;
  }
};

static_assert(std::is_trivially_copyable_v<Box<float>>);

/// Checks a clean signal before noise is made for it. Outside the box, the projection onto a
/// BallAndBoxSet would pull it in with noise that no gradient asked for.
/// @param box    the valid range
/// @param signal its numbers
/// @param number what an error calls it: its number in the data set
/// @throws InvalidArgument for a number that is NaN, infinite or outside the box
template <std::floating_point T>
void require_in_box(const Box<T>& box, std::span<const std::type_identity_t<T>> signal,
                    std::size_t number) {
  if (box.contains(signal)) return;
  std::size_t at = 0;
  while (box.contains(signal.subspan(at, 1))) ++at;
  std::string thing = "signal " + number_text(number);
  thing += ", number " + number_text(at);
  std::string expected = number_text(box.low) + " to " + number_text(box.high);
  expected += ", as the box says (scale the signals to it, or set another box)";
  throw InvalidArgument(expectation(thing, expected, number_text(signal[at])));
}

/// Checks each row of clean signals in this way. Call it once, when signals are loaded, if you use
/// a BallAndBoxSet by itself; a run does so.
/// @param box     the valid range
/// @param signals [rows, elements] in the host's memory
/// @throws InvalidArgument for a number that is NaN, infinite or outside the box; it names the row
template <std::floating_point T>
void require_in_box(const Box<T>& box, View<const std::type_identity_t<T>, 2> signals) {
  for (std::size_t row = 0; row < signals.extent(0); ++row) {
    require_in_box(box, signals.row(row), row);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
