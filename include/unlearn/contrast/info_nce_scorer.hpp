// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/contrast/detail/candidates.hpp"
#include "unlearn/contrast/detail/finite_captions.hpp"
#include "unlearn/contrast/detail/info_nce_terms.hpp"
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

/// The InfoNCE of a batch after some of its captions were replaced, the signals being fixed.
///
/// Let S_ij = exp(s) · âᵢᵀ b̂ⱼ over signals i and captions j, and c_i = exp(s) · âᵢᵀ û the column
/// that takes the place of column j when caption j gets the embedding u. Then
///
///     2B · L(j ← u) = Σ_{i≠j} softplus( log(exp(F_ij) + exp(c_i)) − S_ii )    the other rows
///                   + softplus( F_jj − c_j )                                  row j
///                   + softplus( log Σ_{i≠j} exp(c_i) − c_j )                  column j
///                   + Σ_{k≠j} softplus( log Σ_{i≠k} exp(S_ik) − S_kk )        the other columns
///
///     F_ij = log Σ_{k≠i, k≠j} exp(S_ik)
///
/// F is formed once for the batch, in O(B²), from log-add-exps over the captions before and those
/// behind j, and the last line from the sums before and behind j. A candidate then costs its
/// similarities to the signals, O(B·D), one matrix product for all candidates, and O(B) for the
/// loss. Nothing is subtracted out of a sum, so the loss is as accurate at a logit scale of 100,
/// and near 0, as anywhere.
///
/// Captions that share a trigger change together: `loss_with` is the loss of such a group.
///
/// Indices are positions in the batch. Embeddings need not be normalised; one with NaN or infinity
/// gives the loss NaN, which is never accepted. A CaptionScorer, and a value: copies are
/// independent.
/// Source: the search that follows MEM (Liu et al., ACM MM 2024), Eq. 6. There the r-th candidates
/// of all captions are substituted at once, and one batch loss decides for all.
///
/// @tparam Real what is computed in; a template, so that only who scores compiles it
template <std::same_as<double> Real, ThreadedPolicy Policy = Parallel>
class InfoNceScorerIn {
 public:
  /// @param signals, texts [B, D] the embeddings of the batch; not kept
  /// @param logit_scale    exp(s)
  /// @param policy         how many threads score; no loss depends on it
  /// @throws InvalidArgument when there are no rows, or `texts` has another shape than `signals`.
  InfoNceScorerIn(View<const float, 2> signals, View<const float, 2> texts, double logit_scale,
                  Policy policy = {})
      : policy_(policy), logit_scale_(logit_scale) {
    require_pairs(signals, texts, "text embeddings");
    signals_ = UnitRows(signals).rows();
    finite_ = {all_finite(signals.flat()) && is_finite(logit_scale), texts};
    set_similarities(similarities_to(texts));
  }

  /// B, the number of pairs.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(signals_.rows()); }

  /// @returns the batch's loss as it is.
  [[nodiscard]] double loss() const { return finite_.checked(loss_); }

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

  /// The batch's loss if all these captions were replaced at once; O(m·B·D + B²).
  /// @param replaced   [m], no caption twice
  /// @param embeddings [m, D]
  /// @returns          that loss
  /// @throws InvalidArgument when the shapes disagree, an index is not below size(), or a caption
  ///         comes twice.
  [[nodiscard]] double loss_with(std::span<const Index> replaced,
                                 View<const float, 2> embeddings) const {
    detail::require_distinct_candidates(shape(), replaced, embeddings);
    detail::FiniteCaptions finite = finite_;
    finite.replace(replaced, embeddings);
    return finite.checked(
        detail::info_nce_of_similarities(with_columns(replaced, similarities_to(embeddings))));
  }

  /// Replaces all these captions at once: from now on they belong to the batch.
  /// @param replaced   [m], no caption twice
  /// @param embeddings [m, D]
  /// @throws InvalidArgument as `loss_with` does; nothing is replaced then.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    detail::require_distinct_candidates(shape(), replaced, embeddings);
    set_similarities(with_columns(replaced, similarities_to(embeddings)));
    finite_.replace(replaced, embeddings);
  }

 private:
  [[nodiscard]] std::array<std::size_t, 2> shape() const {
    return {size(), static_cast<std::size_t>(signals_.cols())};
  }

  // The columns c of m embeddings as rows, [m, B].
  [[nodiscard]] MatrixOf<Real> similarities_to(View<const float, 2> embeddings) const {
    return detail::similarities_of<Real>(logit_scale_, UnitRows(embeddings).rows(), signals_);
  }

  // Sᵀ with columns[n] as row replaced[n].
  [[nodiscard]] MatrixOf<Real> with_columns(std::span<const Index> replaced,
                                            const MatrixOf<Real>& columns) const {
    MatrixOf<Real> similarities = columns_;
    for (std::size_t n = 0; n < replaced.size(); ++n) {
      std::ranges::copy(View<const Real, 2>(columns).row(n),
                        View<Real, 2>(similarities).row(replaced[n]).begin());
    }
    return similarities;
  }

  void set_similarities(MatrixOf<Real> columns) {
    columns_ = std::move(columns);
    loss_ = detail::info_nce_of_similarities(columns_);
    own_.resize(size());
    for (std::size_t i = 0; i < size(); ++i) own_[i] = View<const Real, 2>(columns_).row(i)[i];
    set_sums_without_one_column();
  }

  // A sum without column j is made of the sum before j and the sum behind j: taking j out of the
  // total would cancel.
  void set_sums_without_one_column() {
    const std::size_t pairs = size();
    const std::vector<Real> losses = detail::cross_entropies(columns_);
    other_captions_.resize(columns_.rows(), columns_.cols());
    other_columns_.resize(pairs);

    std::vector<Real> log_sums(pairs, log_zero);
    std::vector<Real> column(pairs);
    const auto add = [&](std::size_t j) {
      std::ranges::copy(View<const Real, 2>(columns_).row(j), column.begin());
      column[j] = log_zero;
      log_add_exp<Real>(log_sums, column, log_sums);
    };
    double sum = 0;
    for (std::size_t j = 0; j < pairs; ++j) {
      std::ranges::copy(log_sums, View<Real, 2>(other_captions_).row(j).begin());
      add(j);
      other_columns_[j] = sum;
      sum += losses[j];
    }
    std::ranges::fill(log_sums, log_zero);
    sum = 0;
    for (std::size_t j = pairs; j-- > 0;) {
      const std::span<Real> others = View<Real, 2>(other_captions_).row(j);
      log_add_exp<Real>(others, log_sums, others);
      add(j);
      other_columns_[j] += sum;
      sum += losses[j];
    }
  }

  void score_block(std::span<const Index> replaced, View<const float, 2> embeddings,
                   std::span<double> losses) const {
    MatrixOf<Real> candidates = similarities_to(embeddings);
    std::vector<Real> row_odds(size());
    for (std::size_t m = 0; m < losses.size(); ++m) {
      const Index j = replaced[m];
      const std::span<Real> c = View<Real, 2>(candidates).row(m);
      const std::span<const Real> others = View<const Real, 2>(other_captions_).row(j);
      const Real own = std::exchange(c[j], log_zero);
      log_add_exp<Real>(others, c, row_odds);
      for (std::size_t i = 0; i < row_odds.size(); ++i) row_odds[i] -= own_[i];
      row_odds[j] = others[j] - own;
      softplus<Real>(row_odds);
      Real column = log_sum_exp<Real>(c) - own;
      softplus<Real>({&column, 1});
      const Real loss =
          (other_columns_[j] + sum_of<Real>(row_odds) + column) / (2 * static_cast<Real>(size()));
      losses[m] = finite_.checked(loss, j, embeddings.row(m));
    }
  }

  Policy policy_;
  double logit_scale_;
  MatrixOf<Real> signals_;           // [B, D], â
  MatrixOf<Real> columns_;           // Sᵀ: its rows are the captions' columns of S
  std::vector<Real> own_;            // [B], S_ii
  MatrixOf<Real> other_captions_;    // Fᵀ; on its diagonal row j without caption j
  std::vector<Real> other_columns_;  // [B], for each j the last line of the loss
  double loss_ = 0;
  detail::FiniteCaptions finite_;
};

/// InfoNceScorerIn double, which is what everybody wants.
using InfoNceScorer = InfoNceScorerIn<double>;

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
