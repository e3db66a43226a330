// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>

#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/cross_entropies.cuh"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/product.cuh"
#include "unlearn/cuda/detail/unit_rows.cuh"

namespace unlearn::cuda {

/// Where info_nce writes, all in the device's memory.
template <class T>
struct InfoNceOutput {
  double* value;           ///< L
  View<T, 2> grad_a;       ///< ∂L/∂a, [B, D]
  View<T, 2> grad_b;       ///< ∂L/∂b, [B, D]
  double* grad_log_scale;  ///< ∂L/∂s, where logit_scale = exp(s)
};

namespace detail {

/// A row of ∂L/∂S: p_ij of both directions off the diagonal, and on it minus all others of its row
/// and column, as in the library's cross_entropy_gradient.
struct SimilarityGradient {
  const double* similarities;
  const double* losses;  ///< [2 B]: of the rows, then of the columns
  std::size_t pairs;
  double* gradient;

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t i) const {
    const double own = similarities[i * pairs + i];
    const double terms = static_cast<double>(2 * pairs);
    double wrong = 0;
    for (std::size_t k = team.rank(); k < pairs; k += team.size()) {
      if (k == i) continue;
      const double s = similarities[i * pairs + k];
      const double in_row = std::exp(s - own - losses[i]);
      const double in_column = std::exp(s - similarities[k * pairs + k] - losses[pairs + k]);
      gradient[i * pairs + k] = (in_row + in_column) / terms;
      wrong += in_row + std::exp(similarities[k * pairs + i] - own - losses[pairs + i]);
    }
    wrong = team.sum(wrong);
    if (team.rank() == 0) gradient[i * pairs + i] = -wrong / terms;
  }
};

/// *sum ← Σ a_i b_i.
struct Dot {
  const double* a;
  const double* b;
  std::size_t count;
  double* sum;

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t /*group*/) const {
    double partial = 0;
    for (std::size_t i = team.rank(); i < count; i += team.size()) partial += a[i] * b[i];
    partial = team.sum(partial);
    if (team.rank() == 0) *sum = partial;
  }
};

/// A scale that is not finite makes everything NaN, as on the host.
[[nodiscard]] inline double finite_or_nan(double scale) {
  return unlearn::is_finite(scale) ? scale : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace detail

/// unlearn::info_nce on a device: the same value and gradients to rounding, computed in double.
///
/// All arguments but the scale are in the device's memory. Does not wait.
/// @param a           [B, D]
/// @param b           [B, D]
/// @param logit_scale factor on the cosine similarities; one that is not finite makes all NaN
/// @param out         where value and gradients are written
/// @throws InvalidArgument when there are no rows, or a shape is not that of `a`.
template <class P, class A, std::floating_point T>
void info_nce(const Queue<P, A>& queue, View<const T, 2> a,
              View<const std::type_identity_t<T>, 2> b, double logit_scale,
              const InfoNceOutput<std::type_identity_t<T>>& out) {
  using detail::Op;
  unlearn::require_pairs(a, b, "embeddings b");
  unlearn::require_pairs(a, View<const T, 2>(out.grad_a), "gradient of a");
  unlearn::require_pairs(a, View<const T, 2>(out.grad_b), "gradient of b");
  const std::size_t pairs = a.extent(0);
  const std::size_t width = a.extent(1);
  const auto unit_a = queue.template scratch<double>(pairs * width);
  const auto unit_b = queue.template scratch<double>(pairs * width);
  const auto norms = queue.template scratch<double>(2 * pairs);
  const auto similarities = queue.template scratch<double>(pairs * pairs);
  const auto losses = queue.template scratch<double>(2 * pairs);
  const auto grad_s = queue.template scratch<double>(pairs * pairs);
  const auto unit_gradient = queue.template scratch<double>(pairs * width);
  const View<const double, 2> rows_a(unit_a.data(), {pairs, width});
  const View<const double, 2> rows_b(unit_b.data(), {pairs, width});
  const View<double, 2> s(similarities.data(), {pairs, pairs});
  const View<const double, 2> of_s(grad_s.data(), {pairs, pairs});
  const View<double, 2> of_unit(unit_gradient.data(), {pairs, width});
  const double scale = detail::finite_or_nan(logit_scale);

  detail::normalise_rows(queue, a, unit_a.data(), norms.data());
  detail::normalise_rows(queue, b, unit_b.data(), norms.data() + pairs);
  detail::multiply<Op::plain, Op::transposed>(queue, scale, rows_a, rows_b, s);
  detail::for_each_group(
      queue, 2 * pairs,
      detail::CrossEntropies{
          .similarities = similarities.data(), .pairs = pairs, .losses = losses.data()});
  detail::for_each_group(
      queue, 1, detail::MeanLoss{.losses = losses.data(), .pairs = pairs, .value = out.value});
  detail::for_each_group(queue, pairs,
                         detail::SimilarityGradient{.similarities = similarities.data(),
                                                    .losses = losses.data(),
                                                    .pairs = pairs,
                                                    .gradient = grad_s.data()});
  detail::for_each_group<1024>(queue, 1,
                               detail::Dot{.a = grad_s.data(),
                                           .b = similarities.data(),
                                           .count = pairs * pairs,
                                           .sum = out.grad_log_scale});
  const auto pull_back = [&](const double* unit, const double* norm, View<T, 2> gradient) {
    detail::for_each_group(queue, pairs,
                           detail::PullBackRow<T>{.unit_gradient = unit_gradient.data(),
                                                  .unit = unit,
                                                  .norms = norm,
                                                  .columns = width,
                                                  .gradient = gradient.data()});
  };
  detail::multiply<Op::plain, Op::plain>(queue, scale, of_s, rows_b, of_unit);
  pull_back(unit_a.data(), norms.data(), out.grad_a);
  detail::multiply<Op::transposed, Op::plain>(queue, scale, of_s, rows_a, of_unit);
  pull_back(unit_b.data(), norms.data() + pairs, out.grad_b);
}

}  // namespace unlearn::cuda
