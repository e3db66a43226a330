// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/models/detail/saved_parts.hpp"
#include "unlearn/models/signal_transform.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn {

/// How signals are drawn for an Augmented model.
struct AugmentedOptions {
  std::size_t draws = 1;   ///< transforms that one gradient is averaged over; at least 1
  std::uint64_t seed = 0;  ///< other transforms for another seed
};

static_assert(std::is_trivially_copyable_v<AugmentedOptions>);

/// A model behind a random transform of its signals: f(T(I + δ)). Noise that is made with it keeps
/// its effect under such transforms (expectation over transformations):
///
///     ∂/∂δ (1/K) Σ_k L(f(T_k(I + δ)), g(T ⊕ t)) = (1/K) Σ_k J_kᵀ ∂L/∂y at y = T_k(I + δ)
///
/// A DualEncoder for signals of any type; the model inside gets the transformed signals as a
/// FloatBatch, in the signal's own units. Texts pass through. Training sees transformed signals,
/// too: one draw a step. Everything is in the host's memory.
///
/// The transforms T_1 ... T_K of a signal follow from the options' seed, the number of training
/// steps so far and the numbers of I + δ. So the same call has the same result, and a resumed run
/// the same bytes; each other iterate of a noise has other draws. `encode_signals` takes the first
/// draw. With one draw, a value and its gradient therefore have the same one. With more, a value
/// alone is that of the first, and so is the loss that a run reports and stops at.
/// Source: Athalye et al., "Synthesizing Robust Adversarial Examples", ICML 2018.
///
/// @tparam Model     a DualEncoder of FloatBatch
/// @tparam Transform a SignalTransform
template <class Model, SignalTransform Transform>
class Augmented {
 public:
  /// @param model     must outlive this
  /// @param transform copied or moved from
  /// @param options   how many draws, and their seed
  /// @throws InvalidArgument for no draws
  Augmented(Model& model, Transform transform, const AugmentedOptions& options = {})
      : model_(&model), transform_(std::move(transform)), options_(options) {
    require(options.draws > 0, "draws of an augmented model", "at least 1", options.draws);
  }

  /// The embeddings of the transformed signals, [B, D].
  template <class Batch>
  [[nodiscard]] Matrix encode_signals(const Batch& signals) {
    const Matrix x = signals.perturbed();
    const Matrix y = transformed(x, seeds_of(x, 0));
    const auto embeddings = model_->encode_signals(batch_of(y));
    return as_eigen(embeddings);
  }

  /// The model's embeddings of texts.
  [[nodiscard]] auto encode_texts(const TokenBatch& texts) { return model_->encode_texts(texts); }

  /// The mean gradient over the draws. The pullback records the mean of their losses.
  /// @param signals  I + δ
  /// @param pullback the loss
  /// @param out      [B, elements], written
  template <class Batch, class Loss>
    requires DualEncoder<Model, FloatBatch, Loss>
  void signal_gradient(const Batch& signals, LossPullback<Loss>& pullback, View<float, 2> out) {
    const Matrix x = signals.perturbed();
    Matrix by_x(x.rows(), x.cols());
    std::ranges::fill(out.flat(), 0.0F);
    double losses = 0;
    for (std::size_t draw = 0; draw < options_.draws; ++draw) {
      const std::vector<std::uint64_t> seeds = seeds_of(x, draw);
      const Matrix y = transformed(x, seeds);
      Matrix by_y = Matrix::Zero(y.rows(), y.cols());
      LossPullback<Loss> of_draw = pullback;
      model_->signal_gradient(batch_of(y), of_draw, View<float, 2>(by_y));
      require(of_draw.calls() == pullback.calls() + 1,
              "calls of the pullback by an augmented model",
              "1, between the forward and the backward pass", of_draw.calls() - pullback.calls());
      transform_.pull_back(seeds, View<const float, 2>(x), View<const float, 2>(by_y),
                           View<float, 2>(by_x));
      const std::span<const float> gradient = View<const float, 2>(by_x).flat();
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        out.flat()[i] += gradient[i] / static_cast<float>(options_.draws);
      }
      losses += of_draw.value();
    }
    pullback.record(losses / static_cast<double>(options_.draws));
  }

  /// The model's gradient with respect to token embeddings.
  template <class Loss>
    requires DualEncoder<Model, FloatBatch, Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback, View<float, 3> out) {
    model_->text_gradient(texts, pullback, out);
  }
  /// The model's token embeddings, [V, E].
  [[nodiscard]] View<const float, 2> token_embeddings() { return model_->token_embeddings(); }
  /// The model's logit scale.
  [[nodiscard]] double logit_scale() { return static_cast<double>(model_->logit_scale()); }

  /// The loss with the parameters that the model inside has learnt for it: see bound_loss.
  template <class Loss>
  [[nodiscard]] Loss bind(const Loss& loss) {
    return bound_loss(loss, *model_);
  }

  /// One training step of the model on transformed signals.
  /// @returns the loss before the step
  template <class Batch, class Loss>
    requires Trainable<Model, FloatBatch, Loss>
  double train_step(const Batch& signals, const TokenBatch& texts, const Loss& loss) {
    const Matrix x = signals.perturbed();
    const Matrix y = transformed(x, seeds_of(x, 0));
    const double before = train_step_on(loss, *model_, batch_of(y), texts);
    ++steps_;
    return before;
  }

  /// Ranks tokens as the model inside does: see TokenRanker.
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores)
    requires TokenRanker<Model>
  {
    model_->rank_tokens(gradients, filter, tokens, scores);
  }

  /// Writes the number of training steps, and the model.
  void save(std::ostream& out)
    requires Checkpointable<Model>
  {
    detail::write_count(out, steps_);
    model_->save(out);
  }
  /// Reads what save() wrote.
  void load(std::istream& in)
    requires Checkpointable<Model>
  {
    steps_ = detail::read_count(in);
    model_->load(in);
  }

  /// The seeds that the transform is given for the rows of `x` at this number of training steps.
  /// @param x    [B, elements] perturbed signals I + δ
  /// @param draw which of the draws, counted from 0
  /// @returns    [B]; a row's seed depends on the other rows in nothing
  [[nodiscard]] std::vector<std::uint64_t> seeds_of(View<const float, 2> x,
                                                    std::size_t draw) const {
    std::vector<std::uint64_t> seeds(x.extent(0));
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      std::uint64_t hash = mixed(mixed(options_.seed) + steps_) + draw;
      for (const float number : x.row(r)) {
        hash = (hash ^ std::bit_cast<std::uint32_t>(number)) * 0x9E3779B97F4A7C15U;
        hash ^= hash >> 32U;
      }
      seeds[r] = mixed(hash);
    }
    return seeds;
  }

 private:
  [[nodiscard]] static std::uint64_t mixed(std::uint64_t bits) { return SplitMix64(bits)(); }

  [[nodiscard]] static FloatBatch batch_of(const Matrix& signals) {
    return {.clean = signals, .noise = {}};
  }

  [[nodiscard]] Matrix transformed(const Matrix& x, std::span<const std::uint64_t> seeds) const {
    const auto columns = static_cast<std::size_t>(x.cols());
    Matrix y(x.rows(), static_cast<Eigen::Index>(transform_.elements(columns)));
    transform_.apply(seeds, View<const float, 2>(x), View<float, 2>(y));
    return y;
  }

  Model* model_;
  Transform transform_;
  AugmentedOptions options_;
  std::uint64_t steps_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
