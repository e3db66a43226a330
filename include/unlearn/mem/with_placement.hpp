// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/with_loss.hpp"
#include "unlearn/noise/step_rule.hpp"
#include "unlearn/trigger/trigger_placement.hpp"

namespace unlearn {

/// The same run with its triggers elsewhere: with_placement(mem(), BackPlacement{}).
/// @param mem       any configuration
/// @param placement takes the place of its placement
/// @returns         a MultiStepMinimizer that differs from `mem` in its placement alone
template <class Ball, class Old, class Loss, class Constraint, StepRule Rule,
          TriggerPlacement Placement>
[[nodiscard]] constexpr MultiStepMinimizer<Ball, Placement, Loss, Constraint, Rule> with_placement(
    const MultiStepMinimizer<Ball, Old, Loss, Constraint, Rule>& mem, const Placement& placement) {
  return detail::with_parts(mem, placement, mem.loss);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
