// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <span>

#include "unlearn/noise/detail/scaled_row.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// δ ← δ ∓ step · g / ‖g‖₂ for each row by itself, the steepest step in the 2-norm. It suits
/// L2Ball: there a sign step stops short of the optimum. A row whose gradient is 0 stays.
///
/// It takes float noise, in the host's memory. A good step is a fraction of the ball's radius.
/// Source: the L2 variant of PGD: Madry et al., ICLR 2018.
struct NormalizedGradientStep {
  /// Each row moves by the same distance.
  static constexpr Move move = Move::by_direction;

  /// g ← g / ‖g‖₂, or 0 where ‖g‖₂ is 0.
  template <std::floating_point T>
  void direct(std::span<T> grad, std::span<T> /*memory*/) const {
    const auto scale = detail::two_norm_scale(std::span<const T>(grad));
    for (T& g : grad) g = static_cast<T>(scale(g));
  }
};

static_assert(StepRule<NormalizedGradientStep>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
