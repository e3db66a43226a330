// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/host_row.hpp"
#include "unlearn/noise/box.hpp"

namespace unlearn::detail {

/// Checks each clean signal against the box the first time that it is loaded, and never again.
class BoxCheck {
 public:
  /// @param box     the valid range
  /// @param signals how many signals there are
  BoxCheck(const Box<float>& box, std::size_t signals)
      : box_(box), checked_(signals), left_(signals) {}

  /// @param policy  the signals are in its memory
  /// @param numbers [n], the signals' numbers in the pair source
  /// @param clean   [n, elements], what was loaded for them
  /// @throws InvalidArgument for a number of a signal that is NaN, infinite or outside the box
  template <ExecutionPolicy P>
  void operator()(const P& policy, std::span<const Index> numbers, View<const float, 2> clean) {
    if (left_ == 0) return;
    HostRow<float> host;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const Index number = numbers[i];
      require(number < checked_.size(), "signal of a row",
              "below the source's " + in_words(checked_.size()), number);
      if (checked_[number]) continue;
      require_in_box(box_, host.of(policy, clean, i), number);
      checked_[number] = true;
      --left_;
    }
  }

 private:
  Box<float> box_;
  std::vector<bool> checked_;
  std::size_t left_;  ///< signals that have not been checked
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
