// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>
#include <tuple>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/models/detail/saved_parts.hpp"

namespace unlearn {

/// When models take turns.
struct InTurnOptions {
  std::uint64_t steps_per_turn = 200;  ///< training steps that a model takes in its turn; with the
                                       ///< `surrogate_steps` of a run each round has one model
};

static_assert(std::is_trivially_copyable_v<InTurnOptions>);

/// Several surrogates that take turns. A run costs what it costs with one of them.
///
/// Training steps 0 ... k − 1 are the first model's, the next k the second's, and so on, round and
/// round. Whatever a run asks between two training steps is answered by the model that was trained
/// last. Without training that is always the first; to average over models use Ensemble.
///
/// A DualEncoder where all models are. The models may be of different types and have embeddings of
/// different widths, but have one vocabulary.
///
/// @tparam Models DualEncoders
template <class... Models>
class InTurn {
 public:
  /// @param options when models take turns
  /// @param models  at least one; must outlive this
  /// @throws InvalidArgument for turns without a step
  explicit InTurn(const InTurnOptions& options, Models&... models)
      : options_(options), models_(models...) {
    static_assert(sizeof...(Models) > 0, "InTurn needs at least one model");
    require(options.steps_per_turn > 0, "steps_per_turn of models in turn", "at least 1",
            options.steps_per_turn);
  }
  /// With the default options.
  explicit InTurn(Models&... models)
    requires(!std::same_as<Models, InTurnOptions> && ...)
      : InTurn(InTurnOptions{}, models...) {}

  /// Which of the models answers, counted from 0.
  [[nodiscard]] std::size_t current() const { return steps_ == 0 ? 0 : trained_at(steps_ - 1); }

  /// The current model's embeddings of signals.
  template <class Batch>
  [[nodiscard]] Matrix encode_signals(const Batch& signals) {
    return with(current(), [&](auto& model) -> Matrix {
      const auto embeddings = model.encode_signals(signals);
      return as_eigen(embeddings);
    });
  }
  /// The current model's embeddings of texts.
  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts) {
    return with(current(), [&](auto& model) -> Matrix {
      const auto embeddings = model.encode_texts(texts);
      return as_eigen(embeddings);
    });
  }
  /// The current model's gradient with respect to signals.
  template <class Batch, class Loss>
    requires(DualEncoder<Models, Batch, Loss> && ...)
  void signal_gradient(const Batch& signals, LossPullback<Loss>& pullback, View<float, 2> out) {
    with(current(), [&](auto& model) { model.signal_gradient(signals, pullback, out); });
  }
  /// The current model's gradient with respect to token embeddings.
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback, View<float, 3> out) {
    with(current(), [&](auto& model) { model.text_gradient(texts, pullback, out); });
  }
  /// The current model's token embeddings, [V, E].
  [[nodiscard]] View<const float, 2> token_embeddings() {
    return with(current(),
                [](auto& model) -> View<const float, 2> { return model.token_embeddings(); });
  }
  /// The current model's logit scale.
  [[nodiscard]] double logit_scale() {
    return with(current(),
                [](auto& model) -> double { return static_cast<double>(model.logit_scale()); });
  }

  /// The loss with the parameters that the current model has learnt for it: see bound_loss.
  template <class Loss>
  [[nodiscard]] Loss bind(const Loss& loss) {
    return with(current(), [&](auto& model) -> Loss { return bound_loss(loss, model); });
  }

  /// One training step of the model whose turn it is. It is the current one from then on.
  /// @returns the loss before the step
  template <class Batch, class Loss>
    requires(Trainable<Models, Batch, Loss> && ...)
  double train_step(const Batch& signals, const TokenBatch& texts, const Loss& loss) {
    const double before = with(trained_at(steps_), [&](auto& model) -> double {
      return train_step_on(loss, model, signals, texts);
    });
    ++steps_;
    return before;
  }

  /// Writes the number of training steps, and the models.
  void save(std::ostream& out)
    requires(Checkpointable<Models> && ...)
  {
    detail::write_count(out, sizeof...(Models));
    detail::write_count(out, steps_);
    std::apply([&](auto&... models) { (detail::save_part(out, models), ...); }, models_);
  }
  /// Reads what save() wrote.
  void load(std::istream& in)
    requires(Checkpointable<Models> && ...)
  {
    if (detail::read_count(in) != sizeof...(Models)) in.setstate(std::ios::failbit);
    steps_ = detail::read_count(in);
    std::apply([&](auto&... models) { (detail::load_part(in, models), ...); }, models_);
  }

 private:
  [[nodiscard]] std::size_t trained_at(std::uint64_t step) const {
    return static_cast<std::size_t>(step / options_.steps_per_turn % sizeof...(Models));
  }

  /// call(model number `which`)
  template <std::size_t I = 0, class Call>
  auto with(std::size_t which, const Call& call) {
    if constexpr (I + 1 < sizeof...(Models)) {
      if (which != I) return with<I + 1>(which, call);
    }
    return call(std::get<I>(models_));
  }

  InTurnOptions options_;
  std::tuple<Models&...> models_;
  std::uint64_t steps_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
