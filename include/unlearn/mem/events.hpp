// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

// The events that a run tells its observers. An observer takes one or more of them by const
// reference, and returns void or Flow.

/// A run is about to start, or to resume from its state.
struct RunBegin {
  std::uint32_t first_round = 0;            ///< the round in which it starts
  std::uint32_t rounds = 0;                 ///< the round limit
  std::span<const RoundLosses> complete{};  ///< the rounds before; valid during the call
};

/// A batch is complete.
struct BatchEnd {
  std::uint32_t round;     ///< counted from 0
  std::uint32_t rounds;    ///< the round limit
  std::string_view stage;  ///< the name of the batch's stage; has static storage
  std::size_t batch;       ///< counted from 0
  std::size_t batches;     ///< how many the stage has in this round
  double loss;  ///< before a surrogate step; after a trigger search or the last noise step
};

/// A round is complete.
struct RoundEnd {
  RoundLosses losses{};      ///< mean losses of the round's stages
  std::uint32_t rounds = 0;  ///< the round limit
};

/// The run has ended. Observers are told also when one of them ended it.
struct RunEnd {
  StopReason stop;  ///< why
};

/// State, generator and model are between two batches. A run can resume from a copy of them.
///
/// Observers are told after each batch, after each round and before RunEnd; `last` is true the last
/// time. They are not told after a loss that is not finite, so at the last safe point they
/// have seen the last good state.
template <class State, class Rng, class Model>
struct SafePoint {
  State& state;  ///< a RunState or a TrainingState
  Rng& rng;      ///< the run's generator
  Model& model;  ///< as the last surrogate step left it
  bool last;     ///< no safe point follows in this run
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
