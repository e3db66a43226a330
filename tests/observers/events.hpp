// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>

#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/stages/surrogate_stage.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn::testing {

struct NoModel {};
using ExampleState = RunState<MemoryNoiseStore<>>;
using ExampleSafePoint = SafePoint<ExampleState, std::mt19937, NoModel>;

/// Satisfied by types that MultiStepMinimizer::minimize accepts.
template <class O>
concept RunObserver = Observer<O, RunBegin, BatchEnd, RoundEnd, RunEnd, ExampleSafePoint>;

inline BatchEnd batch_end(std::size_t batch, std::size_t batches, double loss = 1) {
  return {.round = 0,
          .rounds = 2,
          .stage = surrogate_stage,
          .batch = batch,
          .batches = batches,
          .loss = loss};
}

/// A round whose last loss is `loss`. If that is NaN, all stages have NaN.
inline RoundEnd round_end(std::uint32_t round, double loss) {
  return {.losses = {.round = round,
                     .stages = {{.stage = "surrogate", .mean = 5 + 0 * loss},
                                {.stage = "noise", .mean = loss}}},
          .rounds = 20};
}

}  // namespace unlearn::testing
