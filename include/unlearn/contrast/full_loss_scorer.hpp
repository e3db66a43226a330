// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <cstddef>
#include <span>

#include "unlearn/contrast/detail/candidates.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Scores candidate captions by computing the whole loss anew for each of them: B signals and B
/// captions, of which some are replaced.
///
/// A CaptionScorer for any ContrastiveLoss, at O(B²·D) a candidate, and the oracle for the scorers
/// that losses bring. A value: copies are independent.
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

  /// @returns the loss with the current captions.
  [[nodiscard]] double loss() const { return loss_; }

  /// losses[m] = the loss if caption replaced[m], and no other, had the embedding m.
  /// @param replaced   [M]; a caption may have any number of candidates
  /// @param embeddings [M, D]
  /// @param losses     [M], written
  /// @throws InvalidArgument when the shapes disagree or an index is not below B.
  void score(std::span<const Index> replaced, View<const float, 2> embeddings,
             std::span<double> losses) const {
    detail::require_candidates(shape(), replaced, embeddings);
    require_size("losses of candidates", replaced.size(), losses.size());
    for (std::size_t m = 0; m < replaced.size(); ++m) {
      losses[m] = loss_with(replaced.subspan(m, 1), embeddings.slice(m, 1));
    }
  }

  /// The loss if all these captions were replaced at once.
  /// @param replaced   [m]; of a caption that comes twice the last embedding counts
  /// @param embeddings [m, D]
  /// @returns          that loss
  /// @throws InvalidArgument when the shapes disagree or an index is not below B.
  [[nodiscard]] double loss_with(std::span<const Index> replaced,
                                 View<const float, 2> embeddings) const {
    return value(with(replaced, embeddings));
  }

  /// Replaces all these captions at once: from now on they belong to the batch.
  /// @param replaced   [m]; of a caption that comes twice the last embedding counts
  /// @param embeddings [m, D]
  /// @throws InvalidArgument as `loss_with` does; nothing is replaced then.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    texts_ = with(replaced, embeddings);
    loss_ = value(texts_);
  }

 private:
  [[nodiscard]] std::array<std::size_t, 2> shape() const {
    return View<const float, 2>(texts_).extents();
  }

  [[nodiscard]] Matrix with(std::span<const Index> replaced,
                            View<const float, 2> embeddings) const {
    detail::require_candidates(shape(), replaced, embeddings);
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

#include "unlearn/core/pop_macros.hpp"
