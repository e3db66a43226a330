// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"

namespace unlearn {

/// The loss with the parameters that the model has learnt so far: `loss.bound_to(model)`, or the
/// loss as it is where it has no such function.
///
/// The model owns what it learns, and so its checkpoints hold it; a loss is a value that is asked
/// for its model's current parameters before every use. A SigLip takes its bias from
/// `model.logit_bias()`.
template <class Loss, class Model>
[[nodiscard]] Loss bound_loss(const Loss& loss, Model& model) {
  if constexpr (requires(Loss& any) { any.bound_to(model); }) {
    static_assert(
        requires {
          { loss.bound_to(model) } -> std::same_as<Loss>;
        }, "the loss's bound_to(model) must be const and return a loss of the same type");
    return loss.bound_to(model);
  } else {
    return loss;
  }
}

/// One optimiser step of the model, on this loss; a model whose `train_step` takes no loss
/// minimises one of its own. See Trainable.
/// @returns the loss before the step
template <class Model, class Batch, class Loss>
  requires Trainable<Model, Batch, Loss>
double train_step_on(const Loss& loss, Model& model, const Batch& signals,
                     const TokenBatch& texts) {
  if constexpr (TrainableOn<Model, Batch, Loss>) {
    return model.train_step(signals, texts, bound_loss(loss, model));
  } else {
    return model.train_step(signals, texts);
  }
}

}  // namespace unlearn
