// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/training/timed_model.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/stop_signals.hpp"
#include "tool/commands/surrogate_reset.hpp"
#include "tool/publication/published_files.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/observers/progress_bar.hpp"

namespace unlearn::tool {

/// What a protection works on, and its observers.
struct ProtectionRun {
  clip::TimedModel<clip::ClipEncoder>& model;
  pairs::ImagePairs& pairs;
  ProtectionState& state;
  std::mt19937_64& rng;
  const SurrogateReset& reset;
  ProgressBar<>& bar;
  Checkpoint<>& checkpoint;
  const StopSignals& signals;
};

/// Calls mem.minimize() with images and noise in the memory of PyTorch's current GPU. What does not
/// fit there is moved batch by batch. The model must take signals that are on the device.
///
/// Only in builds with UNLEARN_CUDA and a LibTorch that has CUDA.
RunResult minimize_on_gpu(const MultiStepMinimizer<>& mem, const ProtectionRun& run);

}  // namespace unlearn::tool
