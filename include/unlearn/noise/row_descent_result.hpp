// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <vector>

#include "unlearn/core/result.hpp"

namespace unlearn {

/// What a descent did to one row.
struct RowOutcome {
  double value = 0;                       ///< the row's value at the iterate that was kept
  int step = 0;                           ///< how many steps led from the start to that iterate
  int steps = 0;                          ///< steps taken until the row stopped
  int start = 0;                          ///< which of several starts it came from, from 0
  StopReason stop = StopReason::running;  ///< as in DescentResult; `running`: it took no part

  /// Whether the value came to the stop_value of the descent. False where there is none.
  [[nodiscard]] bool success() const { return stop == StopReason::converged; }
};

/// What a descent with a value for each row did.
struct RowDescentResult {
  std::vector<RowOutcome> rows;  ///< [B]
  int evaluations = 0;           ///< calls of the objective

  /// @returns [B] which rows came to the stop_value.
  [[nodiscard]] std::vector<bool> success_mask() const {
    std::vector<bool> mask(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) mask[row] = rows[row].success();
    return mask;
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
