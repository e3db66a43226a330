// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "unlearn/core/group_map.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// The three levels of MEM, in the order in which a round runs them.
enum class Stage : std::uint8_t {
  surrogate,  ///< optimiser steps of the model on the protected pairs
  trigger,    ///< HotFlip and beam search
  noise,      ///< projected sign descent
};

/// The stage as a word, as it stands in traces and files.
[[nodiscard]] constexpr std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::surrogate: return "surrogate";
    case Stage::trigger: return "trigger";
    case Stage::noise: return "noise";
  }
  return "unknown";
}

/// Mean losses of one round, stage by stage; NaN for a stage that the round did not run.
struct RoundLosses {
  /// Stands for a stage that the round did not run.
  static constexpr double not_run = std::numeric_limits<double>::quiet_NaN();

  std::uint32_t round = 0;     ///< counted from 0
  double surrogate = not_run;  ///< before each optimiser step
  double trigger = not_run;    ///< after the search, on each batch
  double noise = not_run;      ///< after the last noise step, on each batch

  /// The loss of `stage`.
  [[nodiscard]] double& of(Stage stage) {
    if (stage == Stage::surrogate) return surrogate;
    return stage == Stage::trigger ? trigger : noise;
  }

  /// The loss of the last stage that ran: what `stop_loss` is compared with.
  [[nodiscard]] double last() const {
    if (noise == noise) return noise;
    return trigger == trigger ? trigger : surrogate;
  }
};

/// Where a run stands, between two batches: enough to go on from there.
struct RunProgress {
  std::uint32_t round = 0;           ///< the round under way; rounds before it are complete
  Stage stage = Stage::surrogate;    ///< the stage under way
  std::uint64_t batch = 0;           ///< batches of this stage that are complete
  std::uint64_t order_seed = 0;      ///< from which this stage's order of batches is drawn
  double loss_sum = 0;               ///< over the complete batches of this stage
  std::uint64_t epoch_seed = 0;      ///< from which the surrogate's current epoch is drawn
  std::uint64_t epoch_row = 0;       ///< rows of that epoch that the surrogate has seen
  std::uint64_t train_steps = 0;     ///< optimiser steps taken so far
  RoundLosses current{};             ///< losses of the round under way
  std::vector<RoundLosses> trace{};  ///< losses of the complete rounds
};

/// All that a run changes, apart from the model and the generator, and who shares what of it.
///
/// `Store` is a NoiseStore: MemoryNoiseStore, MappedNoiseStore, unlearn::DeviceNoiseStore or
/// one of yours. It holds a noise for each group of `scope.noise`; `triggers` one for each group of
/// `scope.triggers`.
template <class Store>
struct RunState {
  Store noise;              ///< [scope.noise.groups(), elements]
  TriggerTable triggers{};  ///< [scope.triggers.groups(), n]
  Scope scope{};            ///< which row has which noise and which trigger
  RunProgress progress{};   ///< {} for a run that has not begun
};

}  // namespace unlearn
