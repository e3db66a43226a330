// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <type_traits>

#include "unlearn/contrast/detail/siglip_terms.hpp"
#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/contrast/embedding_pairs.hpp"
#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/contrast/siglip_scorer.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The loss and its derivatives.
template <class T>
struct SigLipResult {
  double value;           ///< L
  MatrixOf<T> grad_a;     ///< ∂L/∂a, [B, D]
  MatrixOf<T> grad_b;     ///< ∂L/∂b, [B, D]
  double grad_log_scale;  ///< ∂L/∂s, where logit_scale = exp(s)
  double grad_bias;       ///< ∂L/∂(bias)
};

/// SigLIP's pairwise sigmoid loss, with its gradients in closed form.
///
///     S_ij = exp(s) · âᵢᵀ b̂ⱼ,   x̂ = x / max(‖x‖, 1e-12),   z_ij = 1 if i = j, else −1
///     L = −1/B Σ_ij log σ(z_ij (S_ij + bias)) = 1/B Σ_ij softplus(−z_ij (S_ij + bias))
///
/// Each signal and each caption of the batch are asked by themselves whether they belong together;
/// unlike InfoNCE, no term looks at a third embedding. Everything is computed in double, whatever
/// the element type, and a loss near 0 is as accurate as any other. The gradients take the floor on
/// the norms into account: at a row of zeros they are large, and finite.
///
/// NaN or infinity in an embedding, the scale or the bias gives the value NaN; the gradients then
/// mean nothing. Nothing is thrown for it: whoever minimises stops at a value that is not finite.
///
/// @param a, b        [B, D] embeddings, not necessarily normalised, that belong together by row
/// @param logit_scale exp(s)
/// @param bias        a number that is added to every similarity
/// @returns the value and its derivatives by a, b, s and bias
/// @throws InvalidArgument when there are no rows, or `b` has another shape than `a`.
/// Source: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, section 3.2.
template <class A, class B>
  requires EmbeddingPair<A, B>
[[nodiscard]] SigLipResult<element_of_t<const A>> siglip(const A& a, const B& b, double logit_scale,
                                                         double bias) {
  using T = element_of_t<const A>;
  const View<const T, 2> rows_a = as_view(a);
  const View<const T, 2> rows_b = as_view(b);
  require_pairs(rows_a, rows_b, "embeddings b");
  const detail::Similarities<T> similarities(rows_a, rows_b, logit_scale);
  using Real = typename detail::Similarities<T>::Real;

  const MatrixOf<Real> logits = detail::wrong_answers(similarities.values(), bias);
  MatrixOf<Real> losses = logits;
  softplus<Real>(detail::flat(losses));
  const auto pairs = static_cast<double>(logits.rows());

  // σ(x) = exp(x − softplus(x)) has all its digits at either end.
  MatrixOf<Real> gradient = logits;
  auto slopes = as_array(detail::flat(gradient));
  slopes = (slopes - as_array(detail::flat(losses))).exp() / pairs;
  for (Eigen::Index i = 0; i < gradient.rows(); ++i) gradient(i, i) = -gradient(i, i);
  const bool finite = is_finite(bias) && similarities.finite();
  return {
      .value = finite ? sum_of<Real>(detail::flat(losses)) / pairs : not_a_number<double>(),
      .grad_a = similarities.grad_a(gradient),
      .grad_b = similarities.grad_b(gradient),
      .grad_log_scale = similarities.grad_log_scale(gradient),
      .grad_bias = sum_of<Real>(detail::flat(gradient)),
  };
}

/// The value of siglip() alone, at a third of its cost.
/// @param a, b, logit_scale, bias those of siglip()
/// @returns L
/// @throws InvalidArgument when there are no rows, or `b` has another shape than `a`.
template <class A, class B>
  requires EmbeddingPair<A, B>
[[nodiscard]] double siglip_value(const A& a, const B& b, double logit_scale, double bias) {
  using T = element_of_t<const A>;
  const View<const T, 2> rows_a = as_view(a);
  const View<const T, 2> rows_b = as_view(b);
  require_pairs(rows_a, rows_b, "embeddings b");
  const detail::Similarities<T> similarities(rows_a, rows_b, logit_scale);
  if (!is_finite(bias) || !similarities.finite()) return not_a_number<double>();
  auto losses = detail::wrong_answers(similarities.values(), bias);
  softplus<double>(detail::flat(losses));
  return sum_of<double>(detail::flat(losses)) / static_cast<double>(losses.rows());
}

/// siglip() as a policy.
struct SigLip {
  double bias = -10;  ///< of models that learn none; the default is where training begins

  /// The value with its gradients: siglip().
  template <class A, class B>
    requires EmbeddingPair<A, B>
  [[nodiscard]] SigLipResult<element_of_t<const A>> operator()(const A& a, const B& b,
                                                               double logit_scale) const {
    return siglip(a, b, logit_scale, bias);
  }

  /// The value alone: siglip_value().
  template <class A, class B>
    requires EmbeddingPair<A, B>
  [[nodiscard]] double value(const A& a, const B& b, double logit_scale) const {
    return siglip_value(a, b, logit_scale, bias);
  }

  /// Scores captions at O(B·D) each: see SigLipScorer.
  /// @param signals, texts [B, D] the embeddings of the batch
  /// @param logit_scale what multiplies the cosine similarities, positive
  /// @param policy the threads that score
  /// @throws InvalidArgument when there are no rows, or `texts` has another shape than `signals`.
  template <std::same_as<double> Real = double, ThreadedPolicy Policy = Parallel>
  [[nodiscard]] SigLipScorerIn<Real, Policy> scorer(View<const float, 2> signals,
                                                    View<const float, 2> texts, double logit_scale,
                                                    Policy policy) const {
    return {signals, texts, logit_scale, bias, policy};
  }

  /// The loss with the bias that the model has learnt, or as it is where the model has no
  /// `logit_bias()`.
  template <class Model>
  [[nodiscard]] SigLip bound_to(Model& model) const {
    if constexpr (requires { model.logit_bias(); }) {
      return {.bias = static_cast<double>(model.logit_bias())};
    } else {
      return *this;
    }
  }
};

static_assert(ContrastiveLoss<SigLip>);
static_assert(std::is_trivially_copyable_v<SigLip> && std::is_aggregate_v<SigLip>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
