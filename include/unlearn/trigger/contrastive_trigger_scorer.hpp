// SPDX-License-Identifier: Apache-2.0
#pragma once

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
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn {

/// The captions of one batch, and which of them share a trigger.
struct CaptionBatch {
  std::vector<std::vector<Token>> captions;  ///< [B] without triggers
  GroupMap groups;                           ///< [B] rows of the batch to its trigger groups
};

/// Scores triggers by the contrastive loss of a batch: the text tower runs, the signals'
/// embeddings stay, and the loss follows from the similarities.
///
/// A TriggerScorer over the CaptionScorer of any loss: see caption_scorer_for.
/// Hypotheses are encoded in calls of at most `rows_per_call` sequences.
template <class Model, TriggerPlacement Placement, CaptionScorer Scoring>
class ContrastiveTriggerScorer {
 public:
  /// @param model         its text tower encodes the hypotheses; must outlive the scorer
  /// @param placement     where a trigger stands in its caption; copied
  /// @param texts         the batch's captions; must outlive the scorer
  /// @param scoring       made from the batch's signals and its texts with the current triggers
  /// @param rows_per_call the most sequences in one call of the text encoder; at least 1
  ContrastiveTriggerScorer(Model& model, const Placement& placement, const CaptionBatch& texts,
                           Scoring scoring, std::size_t rows_per_call)
      : model_(&model),
        placement_(placement),
        texts_(&texts),
        scoring_(std::move(scoring)),
        rows_per_call_(rows_per_call) {
    require(rows_per_call > 0, "sequences in one call of the text encoder", "at least 1",
            rows_per_call);
  }

  /// The loss with the current triggers.
  [[nodiscard]] double loss() const { return scoring_.loss(); }

  /// Encodes the captions of groups[m] with triggers[m], for every hypothesis m.
  /// @throws InvalidArgument when the model returns another number of embeddings.
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
        sequences.add(texts_->captions[column], triggers.row(m));
        if (sequences.size() == rows_per_call_) encode();
      }
      first_column_.push_back(columns_.size());
    }
    if (sequences.size() > 0) encode();
  }

  /// losses[m]: the loss if hypothesis m alone came true.
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

  /// The loss if all of these hypotheses, of different groups, came true.
  [[nodiscard]] double joint_loss(std::span<const Index> chosen) const {
    const auto [columns, embeddings] = gather(chosen);
    return scoring_.loss_with(columns, embeddings);
  }

  /// Makes these hypotheses, of different groups, true.
  void commit(std::span<const Index> chosen) {
    const auto [columns, embeddings] = gather(chosen);
    scoring_.replace(columns, embeddings);
  }

 private:
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
  std::vector<Index> columns_;             // of all hypotheses' captions, in the batch
  std::vector<std::size_t> first_column_;  // of each hypothesis, in columns_; one more at the end
  Matrix embeddings_;                      // [columns_, D]
};

}  // namespace unlearn
