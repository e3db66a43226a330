// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// How far a stage that visits a whole data set once a round has come. Only such a stage writes it,
/// through Pass.
struct PassProgress {
  std::uint64_t order_seed = 0;  ///< the order of the pass under way is drawn from it
};

/// How far the surrogate's training has come. Only SurrogateStage writes it.
struct TrainingProgress {
  std::uint64_t epoch_seed = 0;  ///< the order of the current epoch is drawn from it
  std::uint64_t epoch_row = 0;   ///< rows of that epoch which the surrogate has seen
  std::uint64_t steps = 0;       ///< optimiser steps taken so far
};

/// How far a run has come, between two batches: enough to go on from there.
///
/// Everything but `pass` and `training` is written by the runner alone. A stage is given no more
/// than the part that it may write.
struct RunProgress {
  std::uint32_t round = 0;           ///< the round under way; rounds before it are complete
  std::string stage{};               ///< name of the stage under way; empty for the first one
  std::uint64_t batch = 0;           ///< batches of this stage that are complete
  double loss_sum = 0;               ///< over the complete batches of this stage
  RoundLosses current{};             ///< losses of the round under way
  std::vector<RoundLosses> trace{};  ///< losses of the complete rounds
  PassProgress pass{};               ///< of the stage under way
  TrainingProgress training{};       ///< of the surrogate
};

}  // namespace unlearn
