// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/training/loss_kind.hpp"
#include "clip/training/training.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/running_options.hpp"

namespace unlearn::tool {

using EpochLog = clip::EpochLog<clip::ClipEncoder, pairs::ImagePairs>;

/// A training of a model on pairs.
struct TrainingRun {
  clip::ClipEncoder& model;
  pairs::ImagePairs& pairs;
  clip::TrainingPlan plan{};
  clip::LossKind loss = clip::LossKind::infonce;
  std::string checkpoint{};  ///< its folder; a run that is there is continued
  RunningOptions running{};
  EpochLog* log = nullptr;               ///< told of every epoch, if there is one
  std::function<void()> before_first{};  ///< called before the first step, unless it is continued
};

/// Trains to the end. Plain training has one instance in the program: this one.
/// @throws Interrupted when a signal ended it; Error when its loss was not finite
void train_model(const TrainingRun& run);

}  // namespace unlearn::tool
