// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// How a run ended. Noise and triggers are in its state.
struct RunResult {
  StopReason stop = StopReason::running;  ///< why it ended
  std::optional<double> loss{};           ///< of the last stage of the last complete round
  std::uint32_t rounds = 0;               ///< complete rounds, those before a resume included
  std::uint64_t train_steps = 0;          ///< surrogate steps, those before a resume included
  std::size_t hypotheses = 0;             ///< triggers scored by this call
  std::size_t evaluations = 0;            ///< of the noise's loss by this call
  std::vector<RoundLosses> trace{};       ///< an entry for each complete round
};

}  // namespace unlearn
