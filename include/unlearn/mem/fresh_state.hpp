// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn {

/// The state of a run that has not begun: no noise, in memory, and the same trigger everywhere.
///
/// @param initial the trigger to start from, n tokens; empty for no triggers
/// @param scope   who shares what; by default Scope::of(pairs)
template <PairSource Pairs>
[[nodiscard]] RunState<MemoryNoiseStore<noise_of_t<Pairs>>> fresh_state(
    Pairs& pairs, std::span<const Token> initial, const Scope& scope) {
  return {.noise = MemoryNoiseStore<noise_of_t<Pairs>>(scope.noise.groups(), pairs.elements()),
          .triggers = TriggerTable(scope.triggers.groups(), initial),
          .scope = scope};
}

template <PairSource Pairs>
[[nodiscard]] auto fresh_state(Pairs& pairs, std::span<const Token> initial = {}) {
  return fresh_state(pairs, initial, Scope::of(pairs));
}

}  // namespace unlearn
