// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "clip/training/loss_kind.hpp"
#include "clip/training/training_plan.hpp"
#include "tool/commands/cleaning_options.hpp"
#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {

/// What `unlearn train` is told.
struct TrainOptions {
  PairsOptions pairs{};  ///< trained on
  PairsOptions test{};   ///< evaluated on; the same as `pairs` where it is empty
  std::string split = "train";
  std::string test_split = "test";
  std::string vocab{};
  std::string out{};
  std::string model = "rn-small";
  std::string weights{};
  std::int64_t size = 0;
  clip::TrainingPlan plan{};
  clip::LossKind loss = clip::LossKind::infonce;
  CleaningOptions cleaning{};
  RunningOptions running{};
};

/// Trains a model and writes the folder that `unlearn train --help` describes.
/// @throws InvalidArgument, FileError; Interrupted when a signal ended the run
void train(const TrainOptions& options);

/// Retrieval of the model with its initial weights, without any training.
[[nodiscard]] Retrieval evaluate_untrained(const TrainOptions& options);

}  // namespace unlearn::tool
