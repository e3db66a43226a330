// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/group_map.hpp"

namespace unlearn::testing {

/// Which captions share a noise: those of a signal, those of one of three classes, or all.
enum class Sharing { per_signal, per_class, universal };

/// Five signals with three captions each. Epochs end in the middle of a round, and stages have
/// several batches.
template <class Pairs>
inline constexpr typename Pairs::Shape three_captions{.signals = 5, .captions = 3, .elements = 4};

/// The scope of a run on `three_captions`.
template <class Pairs>
Scope scope_of(const Pairs& pairs, Sharing sharing) {
  if (sharing == Sharing::per_signal) return Scope::of(pairs);
  if (sharing == Sharing::universal) {
    return {.noise = GroupMap::universal(15), .triggers = GroupMap::universal(15)};
  }
  const GroupMap classes =
      GroupMap::by_label(std::vector<Index>{0, 1, 2, 2, 1, 0, 0, 0, 1, 2, 1, 2, 0, 1, 2});
  return {.noise = classes, .triggers = classes};
}

}  // namespace unlearn::testing
