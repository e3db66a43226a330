// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>

#include "unlearn/core/result.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"

namespace unlearn {

/// MEM-n with the settings of the paper. n is the length of the triggers in the state: n = 3 for
/// MEM-3.
/// Source: MEM (Liu et al., ACM MM 2024), section on the experimental settings.
[[nodiscard]] constexpr MultiStepMinimizer<> mem() { return {}; }

/// EM: error-minimising noise without triggers and without shuffled captions. It has 5 rounds of 50
/// surrogate steps and 8 noise steps, like the baseline of the MEM paper. Leave the triggers of the
/// state empty.
/// Source: H. Huang et al., Unlearnable Examples, ICLR 2021; MEM, Table 1.
[[nodiscard]] constexpr MultiStepMinimizer<> em() {
  MultiStepMinimizer<> em;
  em.shuffle.enabled = false;
  em.rounds = 5;
  em.trigger_rounds = 0;
  em.surrogate_steps = 50;
  return em;
}

/// UAP: noise that raises the loss of a model trained on clean data. It has one round, and does not
/// change the model: train the model before. Leave the triggers of the state empty.
/// Source: MEM, Table 1.
[[nodiscard]] constexpr MultiStepMinimizer<> uap() {
  MultiStepMinimizer<> uap;
  uap.descent.goal = Goal::maximize;
  uap.shuffle.enabled = false;
  uap.rounds = 1;
  uap.trigger_rounds = 0;
  uap.surrogate_steps = 0;
  return uap;
}

/// Only `steps` optimiser steps on the pairs with the noise and triggers of a state. So a hacker,
/// or the surrogate of UAP, is trained.
[[nodiscard]] constexpr MultiStepMinimizer<> training(std::size_t steps) {
  MultiStepMinimizer<> training;
  training.descent.steps = 0;
  training.rounds = 1;
  training.trigger_rounds = 0;
  training.surrogate_steps = steps;
  training.stop_loss = 0;
  return training;
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
