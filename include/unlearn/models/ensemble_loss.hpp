// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/models/detail/columns.hpp"

namespace unlearn {

/// One model of an ensemble, as its loss sees it.
template <class Loss>
struct EnsembleMember {
  Loss loss{};             ///< with the parameters that this model has learnt
  double logit_scale = 1;  ///< this model's own
  std::size_t width = 0;   ///< D, the columns of its embeddings
};

/// Scores captions by the mean of the members' scorers: see EnsembleLoss. Meets CaptionScorer.
template <CaptionScorer Scorer, std::size_t N>
class EnsembleScorer {
 public:
  /// @param scorers one for each member, in order
  /// @param widths  the columns of each member's embeddings
  EnsembleScorer(std::vector<Scorer> scorers, const std::array<std::size_t, N>& widths)
      : scorers_(std::move(scorers)), widths_(widths) {}

  /// @returns the mean loss with the current captions
  [[nodiscard]] double loss() const {
    double sum = 0;
    for (const Scorer& scorer : scorers_) sum += static_cast<double>(scorer.loss());
    return sum / N;
  }

  /// losses[m] = the mean loss if caption replaced[m], and no other, had the embedding m.
  /// @param replaced   [M]
  /// @param embeddings [M, ΣD]
  /// @param losses     [M], written
  void score(std::span<const Index> replaced, View<const float, 2> embeddings,
             std::span<double> losses) const {
    std::vector<double> own(losses.size());
    std::ranges::fill(losses, 0.0);
    each(embeddings, [&](std::size_t m, const Matrix& columns) {
      scorers_[m].score(replaced, columns, std::span(own));
      for (std::size_t i = 0; i < own.size(); ++i) losses[i] += own[i] / N;
    });
  }

  /// The mean loss if all these captions were replaced at once.
  [[nodiscard]] double loss_with(std::span<const Index> replaced,
                                 View<const float, 2> embeddings) const {
    double sum = 0;
    each(embeddings, [&](std::size_t m, const Matrix& columns) {
      sum += static_cast<double>(scorers_[m].loss_with(replaced, columns));
    });
    return sum / N;
  }

  /// Replaces all these captions at once.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    each(embeddings,
         [&](std::size_t m, const Matrix& columns) { scorers_[m].replace(replaced, columns); });
  }

 private:
  template <class Call>
  void each(View<const float, 2> embeddings, const Call& call) const {
    std::size_t columns = 0;
    for (const std::size_t width : widths_) columns += width;
    require_size("columns of candidate embeddings", columns, embeddings.extent(1));
    std::size_t first = 0;
    for (std::size_t m = 0; m < N; ++m) {
      call(m, detail::columns_of(embeddings, first, widths_[m]));
      first += widths_[m];
    }
  }

  std::vector<Scorer> scorers_;
  std::array<std::size_t, N> widths_;
};

/// The mean of a loss over the N models of an ensemble, each with its own embeddings, logit scale
/// and parameters:
///
///     L(a, b) = (1/N) Σ_m L_m(a_m, b_m),   a = [a_1 ... a_N], b = [b_1 ... b_N] side by side
///
/// Ensemble::averaged() makes one, and bound_loss() fills in the members. A ContrastiveLoss, with a
/// scorer where the members' loss has one.
template <ContrastiveLoss Loss, std::size_t N>
struct EnsembleLoss {
  static constexpr std::size_t least_pairs = least_pairs_of<Loss>;  ///< as of L

  Loss loss{};                                    ///< L, before it is bound to each model
  std::array<EnsembleMember<Loss>, N> members{};  ///< L_m

  /// The value and its gradients.
  struct Result {
    double value = 0;  ///< L
    Matrix grad_a;     ///< [B, ΣD]
    Matrix grad_b;     ///< [B, ΣD]
  };

  /// @param a, b        [B, ΣD] the members' embeddings side by side
  /// @param logit_scale multiplies the members' own; 1 for an Ensemble
  /// @throws InvalidArgument when the columns are not those of the members' embeddings
  [[nodiscard]] Result operator()(View<const float, 2> a, View<const float, 2> b,
                                  double logit_scale) const {
    Result mean{.value = 0,
                .grad_a = Matrix(static_cast<Eigen::Index>(a.extent(0)),
                                 static_cast<Eigen::Index>(a.extent(1))),
                .grad_b = Matrix(static_cast<Eigen::Index>(b.extent(0)),
                                 static_cast<Eigen::Index>(b.extent(1)))};
    const float share = 1.0F / N;
    each(a, b,
         [&](const EnsembleMember<Loss>& member, std::size_t first, const Matrix& of_a,
             const Matrix& of_b) {
           const auto own = member.loss(View<const float, 2>(of_a), View<const float, 2>(of_b),
                                        logit_scale * member.logit_scale);
           mean.value += static_cast<double>(own.value) / N;
           detail::set_columns(View<float, 2>(mean.grad_a), first, as_view(own.grad_a), share);
           detail::set_columns(View<float, 2>(mean.grad_b), first, as_view(own.grad_b), share);
         });
    return mean;
  }

  /// The value alone.
  [[nodiscard]] double value(View<const float, 2> a, View<const float, 2> b,
                             double logit_scale) const {
    double mean = 0;
    each(a, b,
         [&](const EnsembleMember<Loss>& member, std::size_t /*first*/, const Matrix& of_a,
             const Matrix& of_b) {
           mean += static_cast<double>(member.loss.value(View<const float, 2>(of_a),
                                                         View<const float, 2>(of_b),
                                                         logit_scale * member.logit_scale)) /
                   N;
         });
    return mean;
  }

  /// The mean of the members' scorers: see caption_scorer_for.
  template <ThreadedPolicy Policy>
  [[nodiscard]] auto scorer(View<const float, 2> signals, View<const float, 2> texts,
                            double logit_scale, const Policy& policy) const {
    using Scorer = decltype(caption_scorer_for(loss, signals, texts, logit_scale, policy));
    std::vector<Scorer> scorers;
    scorers.reserve(N);
    std::array<std::size_t, N> widths{};
    each(signals, texts,
         [&](const EnsembleMember<Loss>& member, std::size_t /*first*/, const Matrix& of_signals,
             const Matrix& of_texts) {
           widths[scorers.size()] = member.width;
           scorers.push_back(caption_scorer_for(member.loss, of_signals, of_texts,
                                                logit_scale * member.logit_scale, policy));
         });
    return EnsembleScorer<Scorer, N>(std::move(scorers), widths);
  }

  /// @param columns of embeddings
  /// @throws InvalidArgument unless they are those of the members side by side
  void require_columns(std::size_t columns) const {
    std::size_t sum = 0;
    for (const EnsembleMember<Loss>& member : members) sum += member.width;
    require_size("columns of an ensemble's embeddings", sum, columns);
  }

 private:
  /// call(member, its first column, its columns of a, its columns of b)
  template <class Call>
  void each(View<const float, 2> a, View<const float, 2> b, const Call& call) const {
    require_columns(a.extent(1));
    require_columns(b.extent(1));
    std::size_t first = 0;
    for (const EnsembleMember<Loss>& member : members) {
      call(member, first, detail::columns_of(a, first, member.width),
           detail::columns_of(b, first, member.width));
      first += member.width;
    }
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
