// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/run_progress.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// All that a run changes, apart from the model and the generator, and who shares what of it.
///
/// `Store` is a NoiseStore: MemoryNoiseStore, MappedNoiseStore, DeviceNoiseStore or one of yours.
/// It holds a noise for each group of `scope.noise`; `triggers` holds one trigger for each group of
/// `scope.triggers`.
template <class Store>
struct RunState {
  Store noise;              ///< [scope.noise.groups(), elements]
  TriggerTable triggers{};  ///< [scope.triggers.groups(), n]
  Scope scope{};            ///< which row has which noise and which trigger
  RunProgress progress{};   ///< {} for a run that has not begun
};

/// The state of a run that trains a model and changes neither noise nor triggers.
struct TrainingState {
  RunProgress progress{};  ///< {} for a run that has not begun
};

}  // namespace unlearn
