// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"

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
};

static_assert(std::is_trivially_copyable_v<Box<float>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
