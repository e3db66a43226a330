// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <concepts>
#include <type_traits>

#include "unlearn/contrast/detail/info_nce_terms.hpp"
#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/contrast/embedding_pairs.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

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
  const UnitRows unit_a(rows_a);
  const UnitRows unit_b(rows_b);

  const auto s = detail::similarities_of(logit_scale, unit_a.rows(), unit_b.rows());
  const decltype(s) s_transposed = s.transpose();
  const auto losses_of_a = softplus(detail::log_odds_against(s_transposed));
  const auto losses_of_b = softplus(detail::log_odds_against(s));
  const double terms = 2 * static_cast<double>(s.rows());

  const decltype(s) grad_s =
      (detail::cross_entropy_gradient(s, losses_of_b) +
       detail::cross_entropy_gradient(s_transposed, losses_of_a).transpose()) /
      terms;
  const double value = (losses_of_a.sum() + losses_of_b.sum()) / terms;
  return {
      .value = detail::is_finite_pair(rows_a, rows_b, logit_scale) ? value : not_a_number<double>(),
      .grad_a = unit_a.pull_back(logit_scale * grad_s * unit_b.rows()).template cast<T>(),
      .grad_b =
          unit_b.pull_back(logit_scale * grad_s.transpose() * unit_a.rows()).template cast<T>(),
      .grad_log_scale = grad_s.cwiseProduct(s).sum(),
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
  if (!detail::is_finite_pair(rows_a, rows_b, logit_scale)) return not_a_number<double>();
  return detail::info_nce_of_similarities(
      detail::similarities_of(logit_scale, UnitRows(rows_a).rows(), UnitRows(rows_b).rows()));
}

/// info_nce() as a policy.
struct InfoNce {
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
