// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"

namespace unlearn {
namespace detail {

/// A model that decorates others: see bound_loss.
template <class M, class Loss>
concept Binds = requires(M& model, const Loss& loss) {
  { model.bind(loss) } -> std::same_as<Loss>;
};

}  // namespace detail

/// The loss with the parameters that the model has learnt so far: `loss.bound_to(model)`, or the
/// loss as it is where it has no such function.
///
/// The model owns the parameters, so its checkpoints hold them. The loss is a value that is bound
/// anew before every use. A SigLip takes its bias from `model.logit_bias()`.
///
/// A model that decorates others, such as Augmented, has a function `bind(loss)` that returns the
/// loss bound to the model inside.
/// @throws what the loss or the model throws when the model lacks the parameters
template <class Loss, class Model>
[[nodiscard]] Loss bound_loss(const Loss& loss, Model& model) {
  if constexpr (detail::Binds<Model, Loss>) {
    return model.bind(loss);
  } else if constexpr (requires(Loss& any) { any.bound_to(model); }) {
    constexpr bool well_formed = requires {
      { loss.bound_to(model) } -> std::same_as<Loss>;
    };
    static_assert(well_formed,
                  "the loss's bound_to(model) must be const and return a loss of the same type");
    return loss.bound_to(model);
  } else {
    return loss;
  }
}

/// One optimiser step of the model on this loss, bound to the model. A model whose `train_step`
/// takes no loss minimises its own; see Trainable.
/// @param signals, texts the pairs (s_i, t_i)
/// @returns the loss before the step
/// @throws what the model throws
template <class Model, class Batch, class Loss>
  requires Trainable<Model, Batch, Loss>
double train_step_on(const Loss& loss, Model& model, const Batch& signals,
                     const TokenBatch& texts) {
  if constexpr (TrainableOn<Model, Batch, Loss> && detail::Binds<Model, Loss>) {
    return model.train_step(signals, texts, loss);  // it binds the loss to the model that it trains
  } else if constexpr (TrainableOn<Model, Batch, Loss>) {
    return model.train_step(signals, texts, bound_loss(loss, model));
  } else {
    return model.train_step(signals, texts);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
