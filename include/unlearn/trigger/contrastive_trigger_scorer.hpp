// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_sequences.hpp"
#include "unlearn/trigger/trigger_placement.hpp"

namespace unlearn {

/// The B captions of a batch, and which of them share a trigger.
struct CaptionBatch {
  std::vector<std::vector<Token>> captions;  ///< [B]; token ids without triggers
  GroupMap groups;                           ///< caption i has the trigger of group groups.of(i)
  std::vector<Index> rows;  ///< [B]; each caption's row, which the placement is told
};

/// Scores triggers by the contrastive loss L(f(I), g(T ⊕ t)) of a batch. Meets TriggerScorer.
///
/// A new trigger t changes only the embeddings g of the captions that share it. The text tower
/// encodes these again; the embeddings f(I) of the signals stay. `Scoring` then computes the loss
/// from the embeddings; see caption_scorer_for.
/// Source: MEM (Liu et al., ACM MM 2024), the trigger step.
/// @tparam Model     has `encode_texts(TokenBatch)`, which returns [R, D]
/// @tparam Placement where a trigger is put in its caption
/// @tparam Scoring   a CaptionScorer of the loss
template <class Model, TriggerPlacement Placement, CaptionScorer Scoring>
class ContrastiveTriggerScorer {
 public:
  /// @param model         encodes the hypotheses; must outlive the scorer
  /// @param placement     where a trigger is put in its caption; copied
  /// @param texts         the captions of the batch; must outlive the scorer
  /// @param scoring       the loss of the batch, with the current triggers in its texts; moved from
  /// @param rows_per_call the most sequences R in one call of the text encoder; at least 1
  /// @throws InvalidArgument when `rows_per_call` is 0, or `texts` has not one row for each caption
  ContrastiveTriggerScorer(Model& model, const Placement& placement, const CaptionBatch& texts,
                           Scoring scoring, std::size_t rows_per_call)
      : model_(&model),
        placement_(placement),
        texts_(&texts),
        scoring_(std::move(scoring)),
        rows_per_call_(rows_per_call) {
    require(rows_per_call > 0, "sequences in one call of the text encoder", "at least 1",
            rows_per_call);
    require_size("rows of a batch of captions", texts.captions.size(), texts.rows.size());
  }

  /// The loss with the current triggers.
  [[nodiscard]] double loss() const { return scoring_.loss(); }

  /// Replaces the hypotheses: for each m, encodes the captions of groups[m] with triggers[m].
  /// @param groups   [M]
  /// @param triggers [M, n]
  /// @throws InvalidArgument when the model returns a wrong number of embeddings, and what
  ///         `Placement` and the model throw
  void propose(std::span<const Index> groups, View<const Token, 2> triggers) {
    columns_.clear();
    first_column_.assign(1, 0);
    TokenSequences<Placement> sequences(placement_, triggers.extent(1));
    std::size_t encoded = 0;
    const auto encode = [&] {
      const auto rows = model_->encode_texts(sequences.batch());
      const auto embeddings = as_eigen(rows);
      require_size("embeddings from the text encoder", sequences.size(),
                   static_cast<std::size_t>(embeddings.rows()));
      const auto count = static_cast<Eigen::Index>(sequences.size());
      embeddings_.conservativeResize(static_cast<Eigen::Index>(encoded) + count, embeddings.cols());
      embeddings_.bottomRows(count) = embeddings;
      encoded += sequences.size();
      sequences.clear();
    };
    for (std::size_t m = 0; m < groups.size(); ++m) {
      for (const Index column : texts_->groups.rows_of(groups[m])) {
        columns_.push_back(column);
        sequences.add(texts_->rows[column], texts_->captions[column], triggers.row(m));
        if (sequences.size() == rows_per_call_) encode();
      }
      first_column_.push_back(columns_.size());
    }
    if (sequences.size() > 0) encode();
  }

  /// Computes the loss with each hypothesis alone.
  /// @param losses [M], written
  void score(std::span<double> losses) const {
    if (losses.empty()) return;
    const bool single = columns_.size() + 1 == first_column_.size();
    if (single) {
      scoring_.score(columns_, embeddings_, losses);
      return;
    }
    for (std::size_t m = 0; m < losses.size(); ++m) {
      const std::size_t first = first_column_[m];
      const std::size_t count = first_column_[m + 1] - first;
      losses[m] = scoring_.loss_with(std::span(columns_).subspan(first, count),
                                     View<const float, 2>(embeddings_).slice(first, count));
    }
  }

  /// The loss with all of these hypotheses at once.
  /// @param chosen numbers of hypotheses of different groups
  [[nodiscard]] double joint_loss(std::span<const Index> chosen) const {
    const auto [columns, embeddings] = gather(chosen);
    return scoring_.loss_with(columns, embeddings);
  }

  /// Makes the triggers of these hypotheses the current ones. Afterwards loss() is what
  /// joint_loss() was.
  /// @param chosen numbers of hypotheses of different groups
  void commit(std::span<const Index> chosen) {
    const auto [columns, embeddings] = gather(chosen);
    scoring_.replace(columns, embeddings);
  }

 private:
  /// The columns and the embeddings of some hypotheses, one after the other.
  [[nodiscard]] std::pair<std::vector<Index>, Matrix> gather(std::span<const Index> chosen) const {
    std::vector<Index> columns;
    std::vector<Eigen::Index> rows;
    for (const Index m : chosen) {
      for (std::size_t i = first_column_[m]; i < first_column_[m + 1]; ++i) {
        columns.push_back(columns_[i]);
        rows.push_back(static_cast<Eigen::Index>(i));
      }
    }
    Matrix embeddings(static_cast<Eigen::Index>(rows.size()), embeddings_.cols());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      embeddings.row(static_cast<Eigen::Index>(i)) = embeddings_.row(rows[i]);
    }
    return {std::move(columns), std::move(embeddings)};
  }

  Model* model_;
  Placement placement_;
  const CaptionBatch* texts_;
  Scoring scoring_;
  std::size_t rows_per_call_;
  // Hypothesis m changes the texts columns_[i] of the batch to the rows i of embeddings_, for i
  // from first_column_[m] to first_column_[m + 1].
  std::vector<Index> columns_;
  std::vector<std::size_t> first_column_;  // [M + 1]
  Matrix embeddings_;                      // [columns_, D]
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
