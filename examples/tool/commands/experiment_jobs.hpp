// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tool/commands/pairs_options.hpp"
#include "tool/experiments/reproduction.hpp"

namespace unlearn::tool {

/// The work of a reproduction by the commands `protect` and `train`: this file alone knows which of
/// their options a preset and a row stand for.
/// @param run must live as long as what is returned
/// @param pairs the clean pairs, the same as run.pairs
[[nodiscard]] experiments::Workers workers_of(const experiments::Reproduction& run,
                                              const PairsOptions& pairs);

}  // namespace unlearn::tool
