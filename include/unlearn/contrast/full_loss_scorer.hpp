// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Scores candidate captions by computing the whole loss anew for each of them.
///
/// Works with any ContrastiveLoss at O(B² D) a candidate, and is the oracle for InfoNceScorer,
/// which gives the same for InfoNCE at O(B D).
template <ContrastiveLoss Loss>
class FullLossScorer {
 public:
  /// @param loss        copied
  /// @param signals     [B, D] embeddings that stay as they are; copied
  /// @param texts       [B, D] the captions' current embeddings; copied
  /// @param logit_scale exp(s)
  /// @throws InvalidArgument when the shapes differ.
  FullLossScorer(const Loss& loss, View<const float, 2> signals, View<const float, 2> texts,
                 double logit_scale)
      : loss_function_(loss),
        signals_(as_eigen(signals)),
        texts_(as_eigen(texts)),
        logit_scale_(logit_scale),
        loss_(value(texts_)) {}

  /// The loss with the current captions.
  [[nodiscard]] double loss() const { return loss_; }

  /// losses[m]: the loss if caption replaced[m] alone had the embedding embeddings[m].
  /// @throws InvalidArgument when the shapes disagree or an index is not below B.
  void score(std::span<const Index> replaced, View<const float, 2> embeddings,
             std::span<double> losses) const {
    require_candidates(replaced, embeddings);
    require_size("losses of candidates", replaced.size(), losses.size());
    for (std::size_t m = 0; m < replaced.size(); ++m) {
      losses[m] = loss_with(replaced.subspan(m, 1), embeddings.slice(m, 1));
    }
  }

  /// The loss if all these captions had these embeddings.
  /// @throws InvalidArgument when the shapes disagree or an index is not below B.
  [[nodiscard]] double loss_with(std::span<const Index> replaced,
                                 View<const float, 2> embeddings) const {
    return value(with(replaced, embeddings));
  }

  /// Gives the captions these embeddings.
  /// @throws InvalidArgument as `loss_with` does; nothing is replaced then.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    texts_ = with(replaced, embeddings);
    loss_ = value(texts_);
  }

 private:
  void require_candidates(std::span<const Index> replaced, View<const float, 2> embeddings) const {
    require_size("rows of candidate embeddings", replaced.size(), embeddings.extent(0));
    require_size("columns of candidate embeddings", static_cast<std::size_t>(texts_.cols()),
                 embeddings.extent(1));
    for (const Index j : replaced) {
      require(static_cast<Eigen::Index>(j) < texts_.rows(), "caption to replace",
              "below the number of pairs", j);
    }
  }

  [[nodiscard]] Matrix with(std::span<const Index> replaced,
                            View<const float, 2> embeddings) const {
    require_candidates(replaced, embeddings);
    Matrix texts = texts_;
    for (std::size_t m = 0; m < replaced.size(); ++m) {
      texts.row(replaced[m]) = as_eigen(embeddings).row(static_cast<Eigen::Index>(m));
    }
    return texts;
  }

  [[nodiscard]] double value(const Matrix& texts) const {
    return loss_function_.value(View<const float, 2>(signals_), View<const float, 2>(texts),
                                logit_scale_);
  }

  Loss loss_function_;
  Matrix signals_;
  Matrix texts_;
  double logit_scale_;
  double loss_;
};

}  // namespace unlearn
