// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_scorer.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/batch_loader.hpp"
#include "unlearn/mem/detail/pass.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/contrastive_trigger_scorer.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn::detail {

/// Level 2 of MEM: HotFlip (Eq. 6) proposes tokens, the beam search keeps what lowers the loss.
///
/// The signals do not change meanwhile: they are encoded once a batch. All that belongs to texts
/// lies in the host's memory, whatever the run's policy.
template <class Mem, class Loader, class Model, class State>
class TriggerStage {
 public:
  TriggerStage(const Mem& mem, Loader& loader, Model& model, State& state)
      : mem_(&mem),
        model_(&model),
        pairs_(&loader.pairs()),
        state_(&state),
        loader_(&loader),
        filter_(mem.filter.over(token_embeddings().extent(0))) {}

  /// Searches better triggers for the groups that `rows` belong to; `next` is the batch after it.
  /// @returns the loss of the batch after the search. When the loss or a gradient is not finite
  ///          the triggers stay as they are and the loss returned is NaN.
  BeamResult search(std::span<const Index> rows, std::span<const Index> next) {
    const std::size_t length = state_->triggers.length();
    loader_->load_signals(signals_of(*pairs_, rows));
    loader_->load_noise(state_->noise, groups_of(state_->scope.noise, rows));
    detail::prefetch(*pairs_, [&] { return signals_of(*pairs_, next); });
    detail::prefetch(state_->noise, [&] { return groups_of(state_->scope.noise, next); });
    const auto signals = model_->encode_signals(loader_->batch());

    const DistinctGroups groups(groups_of(state_->scope.triggers, rows));
    const CaptionBatch texts = captions(rows, groups);
    MatrixOf<Token> triggers = current_triggers(groups);
    TokenSequences sequences(mem_->placement, length);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      sequences.add(texts.captions[i], trigger_of(triggers, groups.local.of(i)));
    }
    const TokenBatch batch = sequences.batch();

    const std::vector<float> gradient = gradient_by_group(signals, batch, groups.local);
    if (gradient.empty()) return {.loss = RoundLosses::not_run};

    const auto constraint = [&](Index group, std::span<const Token> trigger) {
      const auto all_rows = state_->scope.triggers.rows_of(groups.groups[group]);
      return std::ranges::all_of(all_rows,
                                 [&](Index row) -> bool { return mem_->constraint(row, trigger); });
    };
    const auto worth_a_try = [&](std::size_t group, std::size_t position, Token token) {
      const auto current = trigger_of(triggers, group);
      if (current[position] == token) return false;
      std::vector<Token> changed(current.begin(), current.end());
      changed[position] = token;
      return constraint(static_cast<Index>(group), std::span<const Token>(changed));
    };
    const TriggerCandidates candidates =
        proposed(View<const float, 3>(gradient,
                                      {groups.groups.size(), length, token_embeddings().extent(1)}),
                 worth_a_try);

    ContrastiveTriggerScorer scorer(*model_, mem_->placement, texts,
                                    scoring(signals, model_->encode_texts(batch)),
                                    mem_->encode_rows);
    const BeamResult result = mem_->beam(triggers, candidates.tokens(), scorer, constraint);
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      std::ranges::copy(trigger_of(triggers, g), state_->triggers[groups.groups[g]].begin());
    }
    return result;
  }

 private:
  [[nodiscard]] View<const float, 2> token_embeddings() { return model_->token_embeddings(); }

  /// By the model itself where it can.
  template <class Hook>
  [[nodiscard]] TriggerCandidates proposed(View<const float, 3> gradient, const Hook& accept) {
    if constexpr (TokenRanker<Model>) {
      return mem_->search(*model_, gradient, filter_, accept);
    } else {
      return mem_->search(mem_->execution, gradient, token_embeddings(), filter_, accept);
    }
  }

  [[nodiscard]] static std::span<const Token> trigger_of(const MatrixOf<Token>& triggers,
                                                         std::size_t group) {
    return View<const Token, 2>(triggers).row(group);
  }

  [[nodiscard]] CaptionBatch captions(std::span<const Index> rows, const DistinctGroups& groups) {
    CaptionBatch texts{.captions = {}, .groups = groups.local};
    texts.captions.reserve(rows.size());
    for (const Index row : rows) {
      const std::span<const Token> caption = pairs_->caption(row);
      texts.captions.emplace_back(caption.begin(), caption.end());
    }
    return texts;
  }

  [[nodiscard]] MatrixOf<Token> current_triggers(const DistinctGroups& groups) const {
    const std::size_t length = state_->triggers.length();
    MatrixOf<Token> triggers(static_cast<Eigen::Index>(groups.groups.size()),
                             static_cast<Eigen::Index>(length));
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      std::ranges::copy(std::as_const(state_->triggers)[groups.groups[g]],
                        View<Token, 2>(triggers).row(g).begin());
    }
    return triggers;
  }

  /// ∂L/∂e_j of each group, summed over the captions that share its trigger: [groups, n · E].
  /// Empty when the loss or a gradient is not finite.
  template <MatrixLike Signals>
  [[nodiscard]] std::vector<float> gradient_by_group(const Signals& signals,
                                                     const TokenBatch& batch,
                                                     const GroupMap& local) {
    const std::array<std::size_t, 3> extents{batch.size(), batch.trigger_length(),
                                             token_embeddings().extent(1)};
    const std::size_t width = extents[1] * extents[2];
    std::vector<float> by_row(batch.size() * width);
    LossPullback pullback(bound_loss(mem_->loss, *model_), signals, model_->logit_scale());
    model_->text_gradient(batch, pullback, View<float, 3>(by_row, extents));
    std::vector<float> by_group(local.groups() * width);
    PlacedGroups(sequential, local)
        .sum(View<const float, 2>(by_row.data(), {batch.size(), width}),
             View<float, 2>(by_group.data(), {local.groups(), width}));
    if (!is_finite(pullback.value()) || !all_finite(std::span<const float>(by_group))) {
      by_group.clear();
    }
    return by_group;
  }

  template <MatrixLike Signals, MatrixLike Texts>
  [[nodiscard]] auto scoring(const Signals& signals, const Texts& texts) {
    return caption_scorer_for(bound_loss(mem_->loss, *model_), signals, texts,
                              model_->logit_scale(), mem_->execution);
  }

  const Mem* mem_;
  Model* model_;
  typename Loader::Pairs* pairs_;
  State* state_;
  Loader* loader_;
  TokenFilter filter_;
};

}  // namespace unlearn::detail
