// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

namespace detail {

/// The same run with another placement and loss.
template <class Ball, class OldPlacement, class OldLoss, class Constraint, class Rule,
          class Placement, class Loss>
[[nodiscard]] constexpr MultiStepMinimizer<Ball, Placement, Loss, Constraint, Rule> with_parts(
    const MultiStepMinimizer<Ball, OldPlacement, OldLoss, Constraint, Rule>& mem,
    const Placement& placement, const Loss& loss) {
  // Names every field, so that one that is added to the aggregate cannot be forgotten here.
  const auto& [descent, ball, box, search, beam, shuffle, old_placement, old_loss, constraint,
               filter, rounds, trigger_rounds, surrogate_steps, batch_size, encode_rows, stop_loss,
               execution] = mem;
  return {.descent = descent,
          .ball = ball,
          .box = box,
          .search = search,
          .beam = beam,
          .shuffle = shuffle,
          .placement = placement,
          .loss = loss,
          .constraint = constraint,
          .filter = filter,
          .rounds = rounds,
          .trigger_rounds = trigger_rounds,
          .surrogate_steps = surrogate_steps,
          .batch_size = batch_size,
          .encode_rows = encode_rows,
          .stop_loss = stop_loss,
          .execution = execution};
}

}  // namespace detail

/// The same run with another loss: with_loss(em(), SigLip{}).
/// @param mem  any configuration
/// @param loss takes the place of its loss
/// @returns    a MultiStepMinimizer that differs from `mem` in its loss alone
template <class Ball, class Placement, class Old, class Constraint, StepRule Rule,
          ContrastiveLoss Loss>
[[nodiscard]] constexpr MultiStepMinimizer<Ball, Placement, Loss, Constraint, Rule> with_loss(
    const MultiStepMinimizer<Ball, Placement, Old, Constraint, Rule>& mem, const Loss& loss) {
  return detail::with_parts(mem, mem.placement, loss);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
