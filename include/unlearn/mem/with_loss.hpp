// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"

namespace unlearn {

/// The same run with another loss: with_loss(em(), SigLip{}).
/// @param mem  any configuration
/// @param loss takes the place of its loss
/// @returns    a MultiStepMinimizer that differs from `mem` in its loss alone
template <class Ball, class Placement, class Old, class Constraint, ContrastiveLoss Loss>
[[nodiscard]] constexpr MultiStepMinimizer<Ball, Placement, Loss, Constraint> with_loss(
    const MultiStepMinimizer<Ball, Placement, Old, Constraint>& mem, const Loss& loss) {
  // Names every field, so that one that is added to the aggregate cannot be forgotten here.
  const auto& [descent, ball, box, search, beam, shuffle, placement, old, constraint, filter,
               rounds, trigger_rounds, surrogate_steps, batch_size, encode_rows, stop_loss,
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

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
