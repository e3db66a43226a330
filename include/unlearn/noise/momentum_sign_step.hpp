// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/noise/detail/scaled_row.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// MI-FGSM, for each row by itself:
///
///     m ← decay · m + g / ‖g‖₁          (m = 0 before the first step)
///     δ ← δ ∓ step · sign(m)
///
/// A gradient that is 0 adds nothing to m. As only the direction of g counts, the rule works on the
/// pixel grid, too. The noise is in the host's memory.
/// Source: Y. Dong et al., Boosting Adversarial Attacks with Momentum, CVPR 2018, Eq. 6 and 7.
struct MomentumSignStep {
  double decay = 1;  ///< what is left of m at each step; not negative

  /// Every number moves by the same distance.
  static constexpr Move move = Move::by_sign;
  /// Each row remembers m.
  static constexpr bool has_memory = true;

  /// @param grad   g; becomes m
  /// @param memory m
  template <std::floating_point T>
  void direct(std::span<T> grad, std::span<T> memory) const {
    const auto scale = detail::one_norm_scale(std::span<const T>(grad));
    for (std::size_t i = 0; i < grad.size(); ++i) {
      memory[i] = static_cast<T>(decay * memory[i] + scale(grad[i]));
      grad[i] = memory[i];
    }
  }

  /// @throws InvalidArgument when the decay is negative or not finite.
  void validate() const {
    require(is_finite(decay) && decay >= 0, "decay of the momentum",
            "a finite number that is not negative", decay);
  }
};

static_assert(StepRule<MomentumSignStep>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
