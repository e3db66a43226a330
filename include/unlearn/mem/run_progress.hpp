// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// The progress of a stage that visits a whole data set once a round. Only such a stage writes it,
/// through Pass.
struct PassProgress {
  std::uint64_t order_seed = 0;  ///< the order of the current pass is drawn from it
};

/// The progress of the surrogate's training. Only SurrogateStage writes it.
struct TrainingProgress {
  std::uint64_t epoch_seed = 0;  ///< the order of the current epoch is drawn from it
  std::uint64_t epoch_row = 0;   ///< how many rows of that epoch the surrogate has seen
  std::uint64_t steps = 0;       ///< optimiser steps taken so far
};

/// The progress of a run between two batches. A run can resume from it.
///
/// Only the runner writes it, except for `pass` and `training`. A stage gets only the part that it
/// may write.
struct RunProgress {
  std::uint32_t round = 0;           ///< the current round; rounds before it are complete
  std::string stage{};               ///< name of the current stage; empty for the first one
  std::uint64_t batch = 0;           ///< how many batches of this stage are complete
  double loss_sum = 0;               ///< the sum over the complete batches of this stage
  RoundLosses current{};             ///< losses of the current round
  std::vector<RoundLosses> trace{};  ///< losses of the complete rounds
  PassProgress pass{};               ///< progress of the current pass
  TrainingProgress training{};       ///< progress of the surrogate's training
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
