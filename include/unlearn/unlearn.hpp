// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

/// @file
/// All of the library that needs nothing but the standard library and Eigen.

// core/: what everything is made of.
#include "unlearn/core/backend.hpp"        // Backend: algorithms in a memory of its own
#include "unlearn/core/batch.hpp"          // SignalBatch, TokenBatch: what a model is given
#include "unlearn/core/concepts.hpp"       // DualEncoder, Trainable, PairSource: what you bring
#include "unlearn/core/error.hpp"          // Error, InvalidArgument, FileError
#include "unlearn/core/execution.hpp"      // Sequential, Parallel
#include "unlearn/core/executor.hpp"       // Executor, on(): your own threads
#include "unlearn/core/finite.hpp"         // all_finite, also under -ffast-math
#include "unlearn/core/group_map.hpp"      // who shares a noise, who shares a trigger
#include "unlearn/core/loss_pullback.hpp"  // ContrastiveLoss, LossPullback
#include "unlearn/core/matrix.hpp"         // Matrix, as_eigen
#include "unlearn/core/model_loss.hpp"     // bound_loss, train_step_on
#include "unlearn/core/observer.hpp"       // Observer, Flow
#include "unlearn/core/parallel_loop.hpp"  // for_each_piece
#include "unlearn/core/random.hpp"         // shuffle, uniform_below: the same with every library
#include "unlearn/core/result.hpp"         // StopReason, Goal
#include "unlearn/core/tensor_view.hpp"    // View: a dense array that somebody else owns
#include "unlearn/core/version.hpp"

// noise/: δ ← Proj(δ − α · sign ∇L), Eq. 5.
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/ball_per_row.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"  // int8 noise in a memory-mapped .npy
#include "unlearn/noise/memory_noise_store.hpp"
#include "unlearn/noise/momentum_sign_step.hpp"
#include "unlearn/noise/noise_backend.hpp"  // NoiseBackend: a backend that moves noise
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/normalized_gradient_step.hpp"
#include "unlearn/noise/pixel_grid.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"  // the same on bytes
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"
#include "unlearn/noise/random_starts.hpp"
#include "unlearn/noise/row_descent_result.hpp"
#include "unlearn/noise/rowwise_objective.hpp"
#include "unlearn/noise/sign_step.hpp"
#include "unlearn/noise/step_rule.hpp"

// device/: signals and noise in the memory of a backend.
#include "unlearn/device/device_noise_store.hpp"
#include "unlearn/device/device_pair_source.hpp"
#include "unlearn/device/streaming_backend.hpp"

// contrast/: the loss, and what it is after one caption was replaced.
#include "unlearn/contrast/caption_scorer.hpp"   // CaptionScorer, caption_scorer_for
#include "unlearn/contrast/caption_shuffle.hpp"  // S(T) of Eq. 5
#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/contrast/siglip_scorer.hpp"

// trigger/: HotFlip, Eq. 6, and the search that follows it.
#include "unlearn/trigger/anywhere_placement.hpp"
#include "unlearn/trigger/back_placement.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/contrastive_trigger_scorer.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/ranking_backend.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"  // a model that ranks tokens itself
#include "unlearn/trigger/token_sequences.hpp"
#include "unlearn/trigger/trigger_placement.hpp"
#include "unlearn/trigger/trigger_table.hpp"
#include "unlearn/trigger/word_rule.hpp"  // where a placement finds words

// models/: models that are made of other models.
#include "unlearn/models/augmented.hpp"  // a random transform of the signals before the encoder
#include "unlearn/models/ensemble.hpp"   // the mean loss of several surrogates
#include "unlearn/models/in_turn.hpp"    // several surrogates, one at a time

// metrics/: what it came to.
#include "unlearn/metrics/perturbation.hpp"  // linf, psnr, ssim
#include "unlearn/metrics/retrieval.hpp"     // hit@k, median rank

// mem/: all of it together, Eq. 4.
#include "unlearn/mem/configurations.hpp"        // mem(), em(), uap(), training()
#include "unlearn/mem/contrastive_training.hpp"  // plain training
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/runner.hpp"          // run_stages: a run of your own stages
#include "unlearn/mem/with_loss.hpp"       // the same run with another loss
#include "unlearn/mem/with_placement.hpp"  // the same run with its triggers elsewhere

// observers/ and checkpoint/: to watch a run, to stop it, and to resume it.
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/observers/early_stop.hpp"
#include "unlearn/observers/loss_trace.hpp"
#include "unlearn/observers/progress_bar.hpp"
#include "unlearn/observers/stop_on.hpp"

#include "unlearn/core/pop_macros.hpp"
