// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// A loss over two sets of embeddings a, b [B, D] that belong together row by row.
///
/// Requirements, for a loss `loss`:
///  1. `loss(a, b, logit_scale)` returns a value with the members `value` (convertible to double),
///     `grad_a` and `grad_b` ([B, D], the gradient of the value with respect to a and b as given).
///  2. `loss.value(a, b, logit_scale)` returns the value alone.
///  3. The roles are symmetric: exchanging a and b exchanges the gradients and keeps the value.
///  4. Both are const.
///
/// a and b are what the model returned, not normalised. A loss of cosines normalises them itself,
/// and its gradients take that into account: see UnitRows.
///
/// Optional, for a loss `l`:
///  5. `l.scorer(signals, texts, logit_scale, policy)` is const and returns a CaptionScorer. The
///     search for triggers then does not compute the whole loss for every candidate; see
///     caption_scorer_for.
///  6. `l.bound_to(model)` is const and returns the loss, of the same type, with the parameters
///     that the model has learnt for it; see bound_loss.
///  7. The value of `l(a, b, logit_scale)` also has the derivatives with respect to the model's
///     parameters, such as `grad_log_scale` and `grad_bias`. Only the model's own `train_step`
///     reads them.
///  8. `L::least_pairs`, a static constexpr number, is the fewest pairs of which the loss can learn
///     anything: 2 where it only compares the pairs of a batch with each other. Without it, 1. A
///     run refuses smaller batches.
template <class L>
concept ContrastiveLoss = requires(const L& loss, View<const float, 2> a, double logit_scale) {
  { loss(a, a, logit_scale).value } -> std::convertible_to<double>;
  { loss(a, a, logit_scale).grad_a } -> FloatMatrix;
  { loss(a, a, logit_scale).grad_b } -> FloatMatrix;
  { loss.value(a, a, logit_scale) } -> std::convertible_to<double>;
};

/// The fewest pairs in a batch of this loss: `Loss::least_pairs`, or 1 where it has none.
template <ContrastiveLoss Loss>
inline constexpr std::size_t least_pairs_of = [] {
  if constexpr (requires { Loss::least_pairs; }) {
    return static_cast<std::size_t>(Loss::least_pairs);
  } else {
    return std::size_t{1};
  }
}();

/// Turns a model's embeddings into the gradient that the model is to send backward.
///
/// One tower's embeddings are held fixed; calling the pullback with the other's, [B, D], returns
/// ∂L/∂(those embeddings), [B, D], and keeps the loss itself. A model's gradient functions call it
/// exactly once, between their forward and their backward pass; so the loss is written once, in
/// closed form, and a framework supplies nothing but vector-Jacobian products. A model that
/// averages over others gives each a pullback of its own, and records the mean: see Ensemble.
template <class Loss>
class LossPullback {
 public:
  /// @param loss        the loss; copied
  /// @param fixed       [B, D] the other tower's embeddings; must outlive the pullback
  /// @param logit_scale exp(s)
  LossPullback(const Loss& loss, View<const float, 2> fixed, double logit_scale)
      : loss_(loss), fixed_(fixed), logit_scale_(logit_scale) {}

  /// @throws InvalidArgument when the shapes of the two towers' embeddings differ.
  [[nodiscard]] Matrix operator()(View<const float, 2> embeddings) {
    ++calls_;
    auto result = loss_(embeddings, fixed_, logit_scale_);
    value_ = result.value;
    return as_eigen(result.grad_a);
  }

  /// The loss at the embeddings of the last call, or what was recorded since.
  [[nodiscard]] double value() const { return value_; }
  /// How often it has been called: once, if the model keeps to its contract.
  [[nodiscard]] std::size_t calls() const { return calls_; }

  /// Takes a value from a model that averages: it calls pullbacks of its own, one for each term of
  /// its mean, and records the mean of their values here.
  void record(double value) {
    value_ = value;
    ++calls_;
  }

  /// The loss.
  [[nodiscard]] const Loss& loss() const { return loss_; }
  /// [B, D] the other tower's embeddings.
  [[nodiscard]] View<const float, 2> fixed() const { return fixed_; }
  /// exp(s), the factor on the cosine similarities.
  [[nodiscard]] double logit_scale() const { return logit_scale_; }

 private:
  Loss loss_;
  View<const float, 2> fixed_;
  double logit_scale_;
  double value_ = 0;
  std::size_t calls_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
