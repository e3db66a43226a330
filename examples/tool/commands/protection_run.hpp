// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/training/timed_model.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/stop_signals.hpp"
#include "tool/commands/surrogate_reset.hpp"
#include "tool/publication/caption_placement.hpp"
#include "tool/publication/published_files.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"
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
  bool signals_on_gpu = false;  ///< whether images and noise are kept in the memory of a GPU
};

/// The minimizer of a protection, by its loss.
template <class Loss>
using MinimizerOf = MultiStepMinimizer<LinfBall<double>, CaptionPlacement, Loss>;

/// Calls mem.minimize(). Each loss has a file of its own: no other one instantiates the minimizer.
RunResult minimize(const MinimizerOf<InfoNce>& mem, const ProtectionRun& run);
RunResult minimize(const MinimizerOf<SigLip>& mem, const ProtectionRun& run);

/// The same with images and noise in the memory of PyTorch's current GPU. What does not fit there
/// is moved batch by batch. The model must take signals that are on the device.
///
/// Only in builds with UNLEARN_CUDA and a LibTorch that has CUDA.
RunResult minimize_on_gpu(const MinimizerOf<InfoNce>& mem, const ProtectionRun& run);
RunResult minimize_on_gpu(const MinimizerOf<SigLip>& mem, const ProtectionRun& run);

}  // namespace unlearn::tool
