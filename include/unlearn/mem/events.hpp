// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

// What a run tells its observers. An observer takes one or more of these by const reference and
// returns void or Flow.

/// A run is about to start, or to go on from its state.
struct RunBegin {
  std::uint32_t first_round = 0;            ///< the round it starts in
  std::uint32_t rounds = 0;                 ///< the round limit
  std::span<const RoundLosses> complete{};  ///< rounds before it; valid during the call
};

/// A batch is complete.
struct BatchEnd {
  std::uint32_t round;     ///< counted from 0
  std::uint32_t rounds;    ///< the round limit
  std::string_view stage;  ///< the name of the batch's stage; has static storage
  std::size_t batch;       ///< counted from 0
  std::size_t batches;     ///< of the stage in this round
  double loss;  ///< of the batch: before a surrogate step, after a search or the last noise step
};

/// A round is complete.
struct RoundEnd {
  RoundLosses losses{};      ///< mean losses of the round's stages
  std::uint32_t rounds = 0;  ///< the round limit
};

/// The run has ended. Observers are told this even when one of them ended the run.
struct RunEnd {
  StopReason stop;  ///< why
};

/// State, generator and model are between two batches: what is saved now can be resumed.
///
/// Observers are told this after each batch, after each round and before RunEnd; `last` is true the
/// last time. They are not told it after a loss that is not finite, so the last safe point has seen
/// the last good state.
template <class State, class Rng, class Model>
struct SafePoint {
  State& state;  ///< a RunState or a TrainingState
  Rng& rng;      ///< the run's generator
  Model& model;  ///< as the last surrogate step left it
  bool last;     ///< no safe point follows in this run
};

}  // namespace unlearn
