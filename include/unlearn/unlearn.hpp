// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// All of the library that needs nothing but the standard library and Eigen.

// What everything is made of.
#include "unlearn/core/batch.hpp"        // SignalBatch, TokenBatch: what a model is given
#include "unlearn/core/concepts.hpp"     // DualEncoder, Trainable, PairSource: what you bring
#include "unlearn/core/error.hpp"        // Error, InvalidArgument, FileError
#include "unlearn/core/execution.hpp"    // Sequential, Parallel
#include "unlearn/core/observer.hpp"     // Observer, Flow
#include "unlearn/core/random.hpp"       // shuffle, uniform_below: the same with every library
#include "unlearn/core/result.hpp"       // StopReason, Goal
#include "unlearn/core/tensor_view.hpp"  // View: a dense array that somebody else owns
#include "unlearn/core/version.hpp"
#include "unlearn/interop/eigen.hpp"  // Matrix, as_eigen

// Noise: δ ← Proj(δ − α · sign ∇L), Eq. 5.
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/feasible_noise.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/mapped_noise.hpp"  // int8 noise in a memory-mapped .npy
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/pixel_lattice.hpp"  // the same on bytes
#include "unlearn/noise/projected_sign_descent.hpp"

// Triggers: HotFlip, Eq. 6, and the search that follows it.
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/candidate_scoring.hpp"  // the exact loss after one replacement
#include "unlearn/trigger/contrast_scorer.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/full_loss_scoring.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"  // a model that ranks tokens itself
#include "unlearn/trigger/token_sequences.hpp"
#include "unlearn/trigger/trigger_table.hpp"

// The loss.
#include "unlearn/contrast/caption_shuffle.hpp"  // S(T) of Eq. 5
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/pull.hpp"

// All of it together, Eq. 4.
#include "unlearn/mem/checkpoint.hpp"
#include "unlearn/mem/configurations.hpp"  // mem(), em(), uap(), training()
#include "unlearn/mem/early_stop.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/group_map.hpp"  // who shares a noise, who shares a trigger
#include "unlearn/mem/loss_trace.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/progress_bar.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/stop_on.hpp"

// What it came to.
#include "unlearn/metrics/perturbation.hpp"  // linf, psnr, ssim
#include "unlearn/metrics/retrieval.hpp"     // hit@k, median rank
