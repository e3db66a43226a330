// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <span>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn {

/// The state of a run that has not begun: δ = 0, kept in memory, and the same trigger in all
/// groups.
///
/// @param pairs   the source of the run's pairs
/// @param initial the trigger to start from, [n]; empty for no triggers
/// @param scope   which rows share a noise or a trigger
/// @returns noise [noise groups, elements], triggers [trigger groups, n], and an empty progress
template <PairSource Pairs>
[[nodiscard]] RunState<MemoryNoiseStore<noise_of_t<Pairs>>> fresh_state(
    Pairs& pairs, std::span<const Token> initial, const Scope& scope) {
  return {.noise = MemoryNoiseStore<noise_of_t<Pairs>>(scope.noise.groups(), pairs.elements()),
          .triggers = TriggerTable(scope.triggers.groups(), initial),
          .scope = scope};
}

/// The state above with the default scope, Scope::of(pairs).
template <PairSource Pairs>
[[nodiscard]] auto fresh_state(Pairs& pairs, std::span<const Token> initial = {}) {
  return fresh_state(pairs, initial, Scope::of(pairs));
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
