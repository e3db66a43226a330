// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/run_state.hpp"

namespace unlearn {

// What MultiStepMinimizer tells its observers. An observer takes one or more of these by const
// reference and returns void or Flow.

/// A run is about to start, or to go on from where its state stands.
struct RunBegin {
  std::uint32_t first_round = 0;            ///< the round it starts in
  std::uint32_t rounds = 0;                 ///< the round limit
  std::span<const RoundLosses> complete{};  ///< rounds before it; valid during the call
};

/// A batch is complete.
struct BatchEnd {
  std::uint32_t round;   ///< counted from 0
  std::uint32_t rounds;  ///< the round limit
  Stage stage;           ///< the stage that the batch is of
  std::size_t batch;     ///< 0-based
  std::size_t batches;   ///< in this stage
  double loss;  ///< of the batch: before a surrogate step, after a search or the last noise step
};

/// A round is complete.
struct RoundEnd {
  RoundLosses losses{};      ///< mean losses of the round's stages
  std::uint32_t rounds = 0;  ///< the round limit
};

/// The run has ended. Observers are told even when it ended by an observer's wish.
struct RunEnd {
  StopReason stop;  ///< why
};

/// State, generator and model stand between two batches: what is saved now can be resumed.
///
/// Told after each batch, after each round and before RunEnd; `last` is true the last time. Not
/// told of a loss that is not finite: what the last safe point saw is then the last good state.
template <class State, class Rng, class Model>
struct SafePoint {
  State& state;  ///< noise, triggers, scope and progress
  Rng& rng;      ///< the run's generator
  Model& model;  ///< as the last surrogate step left it
  bool last;     ///< no safe point follows in this run
};

}  // namespace unlearn
