// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>

#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/cross_entropies.cuh"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/product.cuh"
#include "unlearn/cuda/detail/unit_rows.cuh"
#include "unlearn/cuda/info_nce.cuh"

namespace unlearn::cuda {
namespace detail {

/// F_ij = log Σ_{k≠i, k≠j} exp(S_ik), written at [j, i]; F_jj = log Σ_{k≠j} exp(S_jk).
struct OtherCaptions {
  const double* similarities;
  std::size_t pairs;
  double* others;

  UNLEARN_HOST_DEVICE void operator()(std::size_t at) const {
    const std::size_t j = at / pairs;
    const std::size_t i = at % pairs;
    const double* const row = similarities + i * pairs;
    double largest = log_zero;
    for (std::size_t k = 0; k < pairs; ++k) {
      if (k != i && k != j && !(row[k] <= largest)) largest = row[k];
    }
    double sum = 0;
    for (std::size_t k = 0; k < pairs; ++k) {
      if (k != i && k != j) sum += std::exp(row[k] - largest);
    }
    others[at] = largest == log_zero ? log_zero : largest + std::log(sum);
  }
};

/// out_j = Σ_{k≠j} x_k.
struct SumOfOthers {
  const double* numbers;
  std::size_t count;
  double* out;

  UNLEARN_HOST_DEVICE void operator()(std::size_t j) const {
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k) sum += k == j ? 0.0 : numbers[k];
    out[j] = sum;
  }
};

/// The batch's loss with one candidate: see unlearn::InfoNceScorerIn.
struct ScoreCandidate {
  const double* similarities;   ///< S [B, B]
  const double* others;         ///< [B, B]: F_ij at [j, i]
  const double* other_columns;  ///< [B]
  const double* candidates;     ///< [M, B]: c of each candidate
  const Index* replaced;        ///< [M]
  std::size_t pairs;
  double* losses;  ///< [M]

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t m) const {
    const std::size_t j = replaced[m];
    const double* const c = candidates + m * pairs;
    const double own = c[j];
    double rows = 0;
    for (std::size_t i = team.rank(); i < pairs; i += team.size()) {
      const double f = others[j * pairs + i];
      rows +=
          i == j ? softplus(f - own) : softplus(log_add_exp(f, c[i]) - similarities[i * pairs + i]);
    }
    rows = team.sum(rows);
    const double column = softplus(log_sum_exp_without(team, c, pairs, 1, j) - own);
    if (team.rank() == 0) {
      losses[m] = (rows + column + other_columns[j]) / static_cast<double>(2 * pairs);
    }
  }
};

/// S_ij ← c_i for the candidate that replaces caption j.
struct ReplaceColumn {
  double* similarities;
  const double* candidates;
  const Index* replaced;
  std::size_t pairs;

  UNLEARN_HOST_DEVICE void operator()(std::size_t at) const {
    const std::size_t m = at / pairs;
    const std::size_t i = at % pairs;
    similarities[i * pairs + replaced[m]] = candidates[at];
  }
};

}  // namespace detail

/// unlearn::InfoNceScorer on a device: the InfoNCE of a batch after one of its captions was
/// replaced, for many candidates at once.
///
/// Everything is in the device's memory; only loss() waits. Indices are not checked: they
/// would have to be read back. F is computed again, in O(B³), when captions are replaced. Its
/// memory is borrowed from the context: it must end before what was borrowed earlier.
/// @tparam QueueT a Queue or a Device
template <class QueueT>
class InfoNceScorer {
 public:
  /// @param queue       where it works
  /// @param signals     [B, D]; not kept
  /// @param texts       [B, D]; not kept
  /// @param logit_scale factor on the cosine similarities
  /// @throws InvalidArgument when there are no rows, or `texts` has another shape than `signals`.
  InfoNceScorer(const QueueT& queue, View<const float, 2> signals, View<const float, 2> texts,
                double logit_scale)
      : queue_(queue),
        pairs_(checked(signals, texts)),
        width_(signals.extent(1)),
        scale_(detail::finite_or_nan(logit_scale)),
        signals_(queue.context().arena(), pairs_ * width_),
        similarities_(queue.context().arena(), pairs_ * pairs_),
        others_(queue.context().arena(), pairs_ * pairs_),
        losses_(queue.context().arena(), 2 * pairs_),
        other_columns_(queue.context().arena(), pairs_),
        loss_(queue.context().arena(), 1) {
    const auto norms = queue_.template scratch<double>(pairs_);
    const auto unit_texts = queue_.template scratch<double>(pairs_ * width_);
    detail::normalise_rows(queue_, signals, signals_.data(), norms.data());
    detail::normalise_rows(queue_, texts, unit_texts.data(), norms.data());
    detail::multiply<detail::Op::plain, detail::Op::transposed>(
        queue_, scale_, signal_rows(), View<const double, 2>(unit_texts.data(), {pairs_, width_}),
        similarities());
    refresh();
  }

  /// @returns B, the number of pairs.
  [[nodiscard]] std::size_t size() const { return pairs_; }

  /// @returns the batch's present loss. Waits for the device.
  [[nodiscard]] double loss() const {
    double value = 0;
    queue_.copy_out(loss_.data(), 1, &value);
    return value;
  }

  /// losses[m] = the batch's loss if caption replaced[m], and no other, had the embedding m.
  /// @param replaced   [M], each below size()
  /// @param embeddings [M, D]
  /// @param losses     [M], written
  /// @throws InvalidArgument when the shapes disagree.
  void score(View<const Index, 1> replaced, View<const float, 2> embeddings,
             View<double, 1> losses) const {
    unlearn::require_size("losses of candidates", replaced.size(), losses.size());
    const auto columns = queue_.template scratch<double>(replaced.size() * pairs_);
    similarities_to(replaced, embeddings, columns.data());
    detail::for_each_group(queue_, replaced.size(),
                           detail::ScoreCandidate{.similarities = similarities_.data(),
                                                  .others = others_.data(),
                                                  .other_columns = other_columns_.data(),
                                                  .candidates = columns.data(),
                                                  .replaced = replaced.data(),
                                                  .pairs = pairs_,
                                                  .losses = losses.data()});
  }

  /// Replaces all these captions at once: from now on they belong to the batch.
  /// @param replaced   [m], each below size(), none twice
  /// @param embeddings [m, D]
  /// @throws InvalidArgument when the shapes disagree.
  void replace(View<const Index, 1> replaced, View<const float, 2> embeddings) {
    const auto columns = queue_.template scratch<double>(replaced.size() * pairs_);
    similarities_to(replaced, embeddings, columns.data());
    detail::for_each_index(queue_, replaced.size() * pairs_,
                           detail::ReplaceColumn{.similarities = similarities_.data(),
                                                 .candidates = columns.data(),
                                                 .replaced = replaced.data(),
                                                 .pairs = pairs_});
    refresh();
  }

 private:
  [[nodiscard]] static std::size_t checked(View<const float, 2> signals,
                                           View<const float, 2> texts) {
    unlearn::require_pairs(signals, texts, "text embeddings");
    return signals.extent(0);
  }

  [[nodiscard]] View<const double, 2> signal_rows() const {
    return {signals_.data(), {pairs_, width_}};
  }
  [[nodiscard]] View<double, 2> similarities() const {
    return {similarities_.data(), {pairs_, pairs_}};
  }

  /// columns [m, B]: the similarities of each embedding to all signals.
  void similarities_to(View<const Index, 1> replaced, View<const float, 2> embeddings,
                       double* columns) const {
    unlearn::require_size("rows of candidate embeddings", replaced.size(), embeddings.extent(0));
    unlearn::require_size("columns of candidate embeddings", width_, embeddings.extent(1));
    const auto unit = queue_.template scratch<double>(embeddings.size());
    const auto norms = queue_.template scratch<double>(embeddings.extent(0));
    detail::normalise_rows(queue_, embeddings, unit.data(), norms.data());
    detail::multiply<detail::Op::plain, detail::Op::transposed>(
        queue_, scale_, View<const double, 2>(unit.data(), embeddings.extents()), signal_rows(),
        View<double, 2>(columns, {replaced.size(), pairs_}));
  }

  /// What follows from the similarities.
  void refresh() {
    detail::for_each_group(
        queue_, 2 * pairs_,
        detail::CrossEntropies{
            .similarities = similarities_.data(), .pairs = pairs_, .losses = losses_.data()});
    detail::for_each_group(
        queue_, 1,
        detail::MeanLoss{.losses = losses_.data(), .pairs = pairs_, .value = loss_.data()});
    detail::for_each_index(
        queue_, pairs_,
        detail::SumOfOthers{
            .numbers = losses_.data() + pairs_, .count = pairs_, .out = other_columns_.data()});
    detail::for_each_index(
        queue_, pairs_ * pairs_,
        detail::OtherCaptions{
            .similarities = similarities_.data(), .pairs = pairs_, .others = others_.data()});
  }

  using Numbers = Scratch<double, Arena<typename QueueT::allocator_type>>;

  QueueT queue_;
  std::size_t pairs_;
  std::size_t width_;
  double scale_;
  Numbers signals_;       // [B, D], â
  Numbers similarities_;  // S
  Numbers others_;        // F, transposed
  Numbers losses_;        // [2 B]
  Numbers other_columns_;
  Numbers loss_;
};

}  // namespace unlearn::cuda
