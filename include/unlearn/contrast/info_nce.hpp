// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

namespace unlearn {

/// Two matrices of one element type, float or double: the embeddings of two towers.
template <class A, class B>
concept EmbeddingPair =
    MatrixLike<const A> && MatrixLike<const B> &&
    std::same_as<element_of_t<const A>, element_of_t<const B>> &&
    (std::same_as<element_of_t<const A>, float> || std::same_as<element_of_t<const A>, double>);

/// The loss and its derivatives.
template <class T>
struct InfoNceResult {
  double value;           ///< L
  MatrixOf<T> grad_a;     ///< ∂L/∂a, [B, D]
  MatrixOf<T> grad_b;     ///< ∂L/∂b, [B, D]
  double grad_log_scale;  ///< ∂L/∂s, where logit_scale = exp(s)
};

namespace detail {

// Templates, so that a program compiles Eigen's products and exponentials only where it calls them.

/// S = exp(s) · âᵀ b̂. All of it is NaN when the scale is not finite: from a mixture of +∞ and −∞
/// the loss could come out as 0.
template <class T>
[[nodiscard]] Eigen::MatrixX<T> similarities_of(double logit_scale, const MatrixOf<T>& a,
                                                const MatrixOf<T>& b) {
  const double scale =
      is_finite(logit_scale) ? logit_scale : std::numeric_limits<double>::quiet_NaN();
  return scale * a * b.transpose();
}

/// h_j = log Σ_{i≠j} exp(S_ij) − S_jj, the log odds against pair j in column j; log_zero if B = 1.
template <class S>
[[nodiscard]] auto log_odds_against(const Eigen::MatrixBase<S>& similarities) {
  Eigen::MatrixX<typename S::Scalar> others = similarities;
  others.diagonal().setConstant(log_zero);
  Eigen::ArrayX<typename S::Scalar> odds(others.cols());
  for (Eigen::Index j = 0; j < odds.size(); ++j) {
    odds[j] = log_sum_exp(others.col(j).array()) - similarities(j, j);
  }
  return odds;
}

/// ∂/∂S of Σ_j softplus(h_j): p_ij = exp(S_ij − S_jj − softplus(h_j)), and −Σ_{i≠j} p_ij at (j, j).
template <class S, class Losses>
[[nodiscard]] auto cross_entropy_gradient(const Eigen::MatrixBase<S>& similarities,
                                          const Losses& column_losses) {
  using Vector = Eigen::VectorX<typename S::Scalar>;
  const Vector log_totals = similarities.diagonal() + column_losses.matrix();
  Eigen::MatrixX<typename S::Scalar> gradient =
      (similarities.rowwise() - log_totals.transpose()).array().exp();
  gradient.diagonal().setZero();
  // Not p_jj − 1, which has no correct digit left once p_jj is close to 1.
  const Vector wrong = gradient.colwise().sum();
  gradient.diagonal() = -wrong;
  return gradient;
}

/// The loss from the similarities S [B, B] alone.
template <class S>
[[nodiscard]] double info_nce_of_similarities(const Eigen::MatrixBase<S>& similarities) {
  return (softplus(log_odds_against(similarities)).sum() +
          softplus(log_odds_against(similarities.transpose())).sum()) /
         static_cast<double>(2 * similarities.rows());
}

}  // namespace detail

/// @throws InvalidArgument unless `b`, called `name_of_b`, has the shape of `a`, and rows.
template <class T>
void require_pairs(View<T, 2> a, View<T, 2> b, std::string_view name_of_b) {
  require(a.extent(0) > 0, "pairs of embeddings", "at least 1", a.extent(0));
  const auto shape_of = [](View<T, 2> view) {
    std::string shape = detail::in_words(view.extent(0));
    shape += " x ";
    shape += detail::in_words(view.extent(1));
    return shape;
  };
  require(a.extents() == b.extents(), name_of_b, shape_of(a), shape_of(b));
}

/// CLIP's symmetric InfoNCE, with its gradients in closed form.
///
///     S_ij = exp(s) · âᵢᵀ b̂ⱼ,   x̂ = x / max(‖x‖, 1e-12)
///     L = 1/(2B) Σ_i [ −log(exp(S_ii) / Σ_k exp(S_ik)) − log(exp(S_ii) / Σ_k exp(S_ki)) ]
///
/// Each cross-entropy is taken as softplus(log Σ_{k≠i} exp(S_ik) − S_ii), so a loss near 0 is as
/// accurate as any other, and no logit scale overflows. Everything is computed in double, whatever
/// the element type. One pair alone has the loss 0. The gradients hold the floor on the norms for
/// what it is: at a row of zeros they are large, and finite.
///
/// NaN or infinity in an embedding or in the scale gives the value NaN; the gradients then mean
/// nothing. Nothing is thrown for it: whoever minimises stops at a value that is not finite.
///
/// @param a, b        [B, D] embeddings, not necessarily normalised, that belong together by row
/// @param logit_scale exp(s)
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
  return {
      .value = (losses_of_a.sum() + losses_of_b.sum()) / terms,
      .grad_a = unit_a.pull_back(logit_scale * grad_s * unit_b.rows()).template cast<T>(),
      .grad_b =
          unit_b.pull_back(logit_scale * grad_s.transpose() * unit_a.rows()).template cast<T>(),
      .grad_log_scale = grad_s.cwiseProduct(s).sum(),
  };
}

/// The value of info_nce alone, at a third of its cost.
/// @throws InvalidArgument when there are no rows, or `b` has another shape than `a`.
template <class A, class B>
  requires EmbeddingPair<A, B>
[[nodiscard]] double info_nce_value(const A& a, const B& b, double logit_scale) {
  using T = element_of_t<const A>;
  const View<const T, 2> rows_a = as_view(a);
  const View<const T, 2> rows_b = as_view(b);
  require_pairs(rows_a, rows_b, "embeddings b");
  return detail::info_nce_of_similarities(
      detail::similarities_of(logit_scale, UnitRows(rows_a).rows(), UnitRows(rows_b).rows()));
}

/// info_nce as a policy.
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
};

static_assert(ContrastiveLoss<InfoNce>);
static_assert(std::is_trivially_copyable_v<InfoNce> && std::is_aggregate_v<InfoNce>);

}  // namespace unlearn
