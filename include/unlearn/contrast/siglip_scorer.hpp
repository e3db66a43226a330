// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "unlearn/contrast/detail/candidates.hpp"
#include "unlearn/contrast/detail/finite_captions.hpp"
#include "unlearn/contrast/detail/siglip_terms.hpp"
#include "unlearn/contrast/detail/similarities.hpp"
#include "unlearn/contrast/embedding_pairs.hpp"
#include "unlearn/contrast/log_sum_exp.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

namespace unlearn {

/// SigLIP's loss of a batch after some of its captions were replaced, the signals being fixed.
///
/// Every pair of a signal and a caption has a term of its own, so caption j is in column j alone.
/// With c_i = exp(s) · âᵢᵀ û the column that takes the place of column j when caption j gets the
/// embedding u,
///
///     B · L(j ← u) = softplus( −(c_j + b) ) + Σ_{i≠j} softplus( c_i + b )     column j
///                  + Σ_{k≠j} Σ_i softplus( −z_ik (S_ik + b) )                 the other columns
///
/// The last line is formed once for the batch, for all j, from the sums before and behind j. A
/// candidate then costs its similarities to the signals, O(B·D), and O(B) for the loss. Nothing is
/// subtracted out of a sum, so a loss near 0 is as accurate as any other.
///
/// Indices are positions in the batch. Embeddings need not be normalised; one with NaN or infinity
/// gives the loss NaN, which is never accepted. A CaptionScorer, and a value: copies are
/// independent.
///
/// @tparam Real what is computed in; a template, so that only who scores compiles it
template <std::same_as<double> Real, ThreadedPolicy Policy = Parallel>
class SigLipScorerIn {
 public:
  /// @param signals, texts [B, D] the embeddings of the batch; not kept
  /// @param logit_scale    exp(s)
  /// @param bias           b
  /// @param policy         how many threads score; no loss depends on it
  /// @throws InvalidArgument when there are no rows, or `texts` has another shape than `signals`.
  SigLipScorerIn(View<const float, 2> signals, View<const float, 2> texts, double logit_scale,
                 double bias, Policy policy = {})
      : policy_(policy), logit_scale_(logit_scale), bias_(bias) {
    require_pairs(signals, texts, "text embeddings");
    signals_ = UnitRows(signals).rows();
    finite_ = {all_finite(signals.flat()) && is_finite(logit_scale) && is_finite(bias), texts};
    std::vector<Index> all(size());
    std::iota(all.begin(), all.end(), Index{0});
    set_columns(column_losses(all, texts));
  }

  /// B, the number of pairs.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(signals_.rows()); }

  /// @returns the batch's loss as it is.
  [[nodiscard]] double loss() const { return finite_.checked(sum_of<Real>(columns_) / pairs()); }

  /// losses[m] = the batch's loss if caption replaced[m], and no other, had the embedding m.
  /// @param replaced   [M]; a caption may have any number of candidates
  /// @param embeddings [M, D]
  /// @param losses     [M], written
  /// @throws InvalidArgument when the shapes disagree or an index is not below size().
  void score(std::span<const Index> replaced, View<const float, 2> embeddings,
             std::span<double> losses) const {
    detail::require_candidates(shape(), replaced, embeddings);
    detail::score_in_blocks(policy_, replaced, embeddings, losses,
                            [&](const auto&... block) { score_block(block...); });
  }

  /// The batch's loss if all these captions were replaced at once; O(m·B·D).
  /// @param replaced   [m], no caption twice
  /// @param embeddings [m, D]
  /// @returns          that loss
  /// @throws InvalidArgument when the shapes disagree, an index is not below size(), or a caption
  ///         comes twice.
  [[nodiscard]] double loss_with(std::span<const Index> replaced,
                                 View<const float, 2> embeddings) const {
    const double loss = sum_of<Real>(with_columns(replaced, embeddings)) / pairs();
    detail::FiniteCaptions finite = finite_;
    finite.replace(replaced, embeddings);
    return finite.checked(loss);
  }

  /// Replaces all these captions at once: from now on they belong to the batch.
  /// @param replaced   [m], no caption twice
  /// @param embeddings [m, D]
  /// @throws InvalidArgument as `loss_with` does; nothing is replaced then.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    set_columns(with_columns(replaced, embeddings));
    finite_.replace(replaced, embeddings);
  }

 private:
  using Columns = std::vector<Real>;

  [[nodiscard]] double pairs() const { return static_cast<double>(size()); }
  [[nodiscard]] std::array<std::size_t, 2> shape() const {
    return {size(), static_cast<std::size_t>(signals_.cols())};
  }

  /// [m], for each of these captions the sum of its column if it had this embedding.
  [[nodiscard]] Columns column_losses(std::span<const Index> captions,
                                      View<const float, 2> embeddings) const {
    MatrixOf<Real> logits =
        detail::similarities_of<Real>(logit_scale_, UnitRows(embeddings).rows(), signals_);
    Columns sums(captions.size());
    for (std::size_t m = 0; m < sums.size(); ++m) {
      const std::span<Real> column = View<Real, 2>(logits).row(m);
      as_array(column) += bias_;
      column[captions[m]] = -column[captions[m]];
      softplus<Real>(column);
      sums[m] = sum_of<Real>(column);
    }
    return sums;
  }

  [[nodiscard]] Columns with_columns(std::span<const Index> replaced,
                                     View<const float, 2> embeddings) const {
    detail::require_distinct_candidates(shape(), replaced, embeddings);
    const Columns losses = column_losses(replaced, embeddings);
    Columns columns = columns_;
    for (std::size_t n = 0; n < replaced.size(); ++n) {
      columns[replaced[n]] = losses[n];
    }
    return columns;
  }

  // The sum without column j is made of the sums before j and behind j: taking j out of the total
  // would cancel, and could not mend a caption that is NaN.
  void set_columns(const Columns& columns) {
    columns_ = columns;
    other_columns_.resize(columns.size());
    double sum = 0;
    for (std::size_t j = 0; j < columns.size(); ++j) {
      other_columns_[j] = sum;
      sum += columns[j];
    }
    sum = 0;
    for (std::size_t j = columns.size(); j-- > 0;) {
      other_columns_[j] += sum;
      sum += columns[j];
    }
  }

  void score_block(std::span<const Index> replaced, View<const float, 2> embeddings,
                   std::span<double> losses) const {
    const Columns columns = column_losses(replaced, embeddings);
    for (std::size_t m = 0; m < replaced.size(); ++m) {
      const double sum = columns[m] + other_columns_[replaced[m]];
      losses[m] = finite_.checked(sum / pairs(), replaced[m], embeddings.row(m));
    }
  }

  Policy policy_;
  double logit_scale_;
  double bias_;
  MatrixOf<Real> signals_;  // [B, D], â
  Columns columns_;         // [B], Σ_i softplus(−z_ik (S_ik + b)) of each column k
  Columns other_columns_;   // [B], for each j the sum of the others
  detail::FiniteCaptions finite_;
};

/// SigLipScorerIn double, which is what everybody wants.
using SigLipScorer = SigLipScorerIn<double>;

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
