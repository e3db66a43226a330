// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

#include "unlearn/core/error.hpp"

namespace unlearn::clip {

/// How a model is trained on pairs.
struct TrainingPlan {
  std::size_t epochs = 32;
  std::size_t batch_size = 128;
  double learning_rate = 5e-4;  ///< the highest, of a cosine schedule

  /// Optimiser steps of one epoch over so many rows. Rows that do not fill a batch are left out.
  /// @throws InvalidArgument for a batch size of 0
  [[nodiscard]] std::size_t steps_per_epoch(std::size_t rows) const {
    require(batch_size > 0, "batch size", "at least 1", batch_size);
    return std::max<std::size_t>(rows / std::min(batch_size, std::max<std::size_t>(rows, 1)), 1);
  }
};

}  // namespace unlearn::clip
