// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// δ ← δ ∓ step · sign(g), the steepest step in the maximum norm. It suits LinfBall, works on the
/// pixel grid, and is the one rule that runs in the memory of a device.
///
/// Source: FGSM: Goodfellow et al., ICLR 2015; PGD: Madry et al., ICLR 2018.
struct SignStep {
  /// Every number moves by the same distance.
  static constexpr Move move = Move::by_sign;
};

static_assert(StepRule<SignStep>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
