// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "unlearn/contrast/detail/info_nce_terms.hpp"
#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/contrast/embedding_pairs.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/product.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The loss and its derivatives.
template <class T>
struct InfoNceResult {
  double value;           ///< L
  MatrixOf<T> grad_a;     ///< ∂L/∂a, [B, D]
  MatrixOf<T> grad_b;     ///< ∂L/∂b, [B, D]
  double grad_log_scale;  ///< ∂L/∂s, where logit_scale = exp(s)
};

/// CLIP's symmetric InfoNCE, with its gradients in closed form.
///
///     S_ij = exp(s) · âᵢᵀ b̂ⱼ,   x̂ = x / max(‖x‖, 1e-12)
///     L = 1/(2B) Σ_i [ −log(exp(S_ii) / Σ_k exp(S_ik)) − log(exp(S_ii) / Σ_k exp(S_ki)) ]
///
/// Each cross-entropy is taken as softplus(log Σ_{k≠i} exp(S_ik) − S_ii), so a loss near 0 is as
/// accurate as any other, and no logit scale overflows. Everything is computed in double, whatever
/// the element type. One pair alone has the loss 0. The gradients take the floor on the norms into
/// account: at a row of zeros they are large, and finite.
///
/// NaN or infinity in an embedding or in the scale gives the value NaN; the gradients then mean
/// nothing. Nothing is thrown for it: whoever minimises stops at a value that is not finite.
///
/// @param a, b        [B, D] embeddings, not necessarily normalised, that belong together by row
/// @param logit_scale exp(s)
/// @returns the value and its derivatives by a, b and s
/// @throws InvalidArgument when there are no rows, or `b` has another shape than `a`.
/// Source: Radford et al., "Learning Transferable Visual Models From Natural Language
/// Supervision", ICML 2021, Fig. 3; it is L in MEM (Liu et al., ACM MM 2024), Eq. 4.
template <class A, class B>
  requires EmbeddingPair<A, B>
[[nodiscard]] InfoNceResult<element_of_t<const A>> info_nce(const A& a, const B& b,
                                                            double logit_scale) {
  using T = element_of_t<const A>;
  const View<const T, 2> rows_a = as_view(a);
  const View<const T, 2> rows_b = as_view(b);
  require_pairs(rows_a, rows_b, "embeddings b");
  const detail::Similarities<T> similarities(rows_a, rows_b, logit_scale);
  using Real = typename detail::Similarities<T>::Real;

  const MatrixOf<Real>& by_a = similarities.values();
  const MatrixOf<Real> by_b = transposed(by_a);
  const std::vector<Real> losses_of_a = detail::cross_entropies(by_a);
  const std::vector<Real> losses_of_b = detail::cross_entropies(by_b);
  const double terms = 2 * static_cast<double>(losses_of_a.size());

  MatrixOf<Real> gradient = detail::cross_entropy_gradient<Real>(by_a, losses_of_a);
  const MatrixOf<Real> of_b = transposed(detail::cross_entropy_gradient<Real>(by_b, losses_of_b));
  auto sum = as_array(detail::flat(gradient));
  sum = (sum + as_array(detail::flat(of_b))) / terms;
  const double value = (sum_of<Real>(losses_of_a) + sum_of<Real>(losses_of_b)) / terms;
  return {
      .value = similarities.finite() ? value : not_a_number<double>(),
      .grad_a = similarities.grad_a(gradient),
      .grad_b = similarities.grad_b(gradient),
      .grad_log_scale = similarities.grad_log_scale(gradient),
  };
}

/// The value of info_nce() alone, at a third of its cost.
/// @param a, b, logit_scale those of info_nce()
/// @returns L
/// @throws InvalidArgument when there are no rows, or `b` has another shape than `a`.
template <class A, class B>
  requires EmbeddingPair<A, B>
[[nodiscard]] double info_nce_value(const A& a, const B& b, double logit_scale) {
  using T = element_of_t<const A>;
  const View<const T, 2> rows_a = as_view(a);
  const View<const T, 2> rows_b = as_view(b);
  require_pairs(rows_a, rows_b, "embeddings b");
  const detail::Similarities<T> similarities(rows_a, rows_b, logit_scale);
  return similarities.finite() ? detail::info_nce_of_similarities(similarities.values())
                               : not_a_number<double>();
}

/// info_nce() as a policy.
struct InfoNce {
  /// One pair alone has the loss 0, whatever its embeddings.
  static constexpr std::size_t least_pairs = 2;

  /// The value with its gradients: info_nce().
  template <class A, class B>
    requires EmbeddingPair<A, B>
  [[nodiscard]] InfoNceResult<element_of_t<const A>> operator()(const A& a, const B& b,
                                                                double logit_scale) const {
    return info_nce(a, b, logit_scale);
  }

  /// The value alone: info_nce_value().
  template <class A, class B>
    requires EmbeddingPair<A, B>
  [[nodiscard]] double value(const A& a, const B& b, double logit_scale) const {
    return info_nce_value(a, b, logit_scale);
  }

  /// Scores captions at O(B·D) each: see InfoNceScorer.
  /// @param signals, texts [B, D] the embeddings of the batch
  /// @param logit_scale what multiplies the cosine similarities, positive
  /// @param policy the threads that score
  /// @throws InvalidArgument when there are no rows, or `texts` has another shape than `signals`.
  template <std::same_as<double> Real = double, ThreadedPolicy Policy = Parallel>
  [[nodiscard]] InfoNceScorerIn<Real, Policy> scorer(View<const float, 2> signals,
                                                     View<const float, 2> texts, double logit_scale,
                                                     Policy policy) const {
    return {signals, texts, logit_scale, policy};
  }
};

static_assert(ContrastiveLoss<InfoNce>);
static_assert(std::is_trivially_copyable_v<InfoNce> && std::is_aggregate_v<InfoNce>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
