// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <istream>
#include <ostream>
#include <utility>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn::clip {

/// A model that notes how long its own calls take: what is left of a run's time is everybody
/// else's. A ClipEncoder, Trainable and Checkpointable where `Model` is.
///
/// The time within LossPullback, which the model's gradients call back, is counted as the model's.
template <class Model>
class TimedModel {
 public:
  /// @param model must outlive this
  explicit TimedModel(Model& model) : model_(&model) {}

  /// Seconds spent in the model so far.
  [[nodiscard]] double seconds() const { return seconds_.count(); }

  template <class Batch>
  [[nodiscard]] auto encode_signals(const Batch& signals) {
    const Measure measure(*this);
    return model_->encode_signals(signals);
  }
  [[nodiscard]] auto encode_texts(const TokenBatch& texts) {
    const Measure measure(*this);
    return model_->encode_texts(texts);
  }
  template <class Batch, class Loss>
  void signal_gradient(const Batch& signals, LossPullback<Loss>& pullback,
                       View<float, 2> gradient) {
    const Measure measure(*this);
    model_->signal_gradient(signals, pullback, gradient);
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> gradient) {
    const Measure measure(*this);
    model_->text_gradient(texts, pullback, gradient);
  }
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores)
    requires TokenRanker<Model>
  {
    const Measure measure(*this);
    model_->rank_tokens(gradients, filter, tokens, scores);
  }
  [[nodiscard]] View<const float, 2> token_embeddings() { return model_->token_embeddings(); }
  [[nodiscard]] double logit_scale() { return model_->logit_scale(); }
  [[nodiscard]] double logit_bias()
    requires requires(Model& m) { m.logit_bias(); }
  {
    return model_->logit_bias();
  }

  template <class Batch, class Loss>
    requires TrainableOn<Model, Batch, Loss>
  double train_step(const Batch& signals, const TokenBatch& texts, const Loss& loss) {
    const Measure measure(*this);
    return model_->train_step(signals, texts, loss);
  }
  template <class Batch>
    requires Trainable<Model, Batch>
  double train_step(const Batch& signals, const TokenBatch& texts) {
    const Measure measure(*this);
    return model_->train_step(signals, texts);
  }
  void save(std::ostream& out)
    requires Checkpointable<Model>
  {
    model_->save(out);
  }
  void load(std::istream& in)
    requires Checkpointable<Model>
  {
    model_->load(in);
  }

 private:
  using Clock = std::chrono::steady_clock;

  class Measure {
   public:
    explicit Measure(TimedModel& owner) : owner_(&owner), begin_(Clock::now()) {}
    Measure(const Measure&) = delete;
    Measure& operator=(const Measure&) = delete;
    ~Measure() { owner_->seconds_ += Clock::now() - begin_; }

   private:
    TimedModel* owner_;
    Clock::time_point begin_;
  };

  Model* model_;
  std::chrono::duration<double> seconds_{0};
};

}  // namespace unlearn::clip
