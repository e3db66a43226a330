// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>

#include "clip/dual_encoder.hpp"
#include "clip/picture_pairs.hpp"
#include "clip/timed_model.hpp"
#include "stop_signals.hpp"
#include "surrogate_turnover.hpp"
#include "unlearn/mem/checkpoint.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/progress_bar.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/mapped_noise.hpp"

namespace unlearn::tool {

/// All that a protection works on, and who is told of it.
struct ProtectionRun {
  clip::TimedModel<clip::DualEncoder>& model;
  clip::PicturePairs& pairs;
  RunState<MappedNoise<>>& state;
  std::mt19937_64& rng;
  const SurrogateTurnover& turnover;
  ProgressBar<>& bar;
  Checkpoint<>& checkpoint;
  const StopSignals& signals;
};

/// mem.minimize() by a policy of unlearn::cuda's, with pictures and noise in the memory of
/// PyTorch's current GPU; where they do not fit, batch by batch. The model's signals must be on the
/// device.
///
/// Only in builds with UNLEARN_CUDA and a LibTorch that has CUDA.
RunResult minimize_on_gpu(const MultiStepMinimizer<>& mem, const ProtectionRun& run);

}  // namespace unlearn::tool
