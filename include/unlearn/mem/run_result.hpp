// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn {

/// The result of a run. Noise and triggers are in its state.
struct RunResult {
  StopReason stop = StopReason::running;  ///< why the run ended
  std::optional<double> loss{};           ///< RoundLosses::last() of the last complete round
  std::uint32_t rounds = 0;               ///< complete rounds, including those before a resume
  std::uint64_t train_steps = 0;          ///< surrogate steps, including those before a resume
  std::size_t hypotheses = 0;             ///< how many triggers this call scored
  std::size_t evaluations = 0;            ///< how often this call evaluated the loss of the noise
  std::vector<RoundLosses> trace{};       ///< the losses of each complete round
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
