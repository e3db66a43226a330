// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/run_progress.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// All that a run changes except the model and the generator, and which rows share what.
///
/// There is one noise for each group of `scope.noise`, and one trigger for each group of
/// `scope.triggers`.
/// @tparam Store a NoiseStore: MemoryNoiseStore, MappedNoiseStore, DeviceNoiseStore or your own
template <class Store>
struct RunState {
  Store noise;              ///< [scope.noise.groups(), elements]
  TriggerTable triggers{};  ///< [scope.triggers.groups(), n]
  Scope scope{};            ///< which row has which noise and which trigger
  RunProgress progress{};   ///< {} for a run that has not begun
};

/// The state of a run that only trains a model, without noise and triggers.
struct TrainingState {
  RunProgress progress{};  ///< {} for a run that has not begun
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
