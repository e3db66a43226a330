// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/gradient_check.hpp"
#include "unlearn/mem/detail/groups.hpp"
#include "unlearn/mem/detail/idle_run.hpp"
#include "unlearn/mem/pass.hpp"
#include "unlearn/mem/stage.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/contrastive_trigger_scorer.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"
#include "unlearn/trigger/token_sequences.hpp"
#include "unlearn/trigger/trigger_placement.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// The name of TriggerStage.
inline constexpr std::string_view trigger_stage = "trigger";

/// The policies of a trigger search.
template <class Loss, TriggerPlacement Placement, class Constraint,
          ThreadedPolicy Execution = Parallel>
struct TriggerSearchPolicies {
  HotFlipCandidateSearch search{};  ///< proposes tokens
  BeamSearch beam{};                ///< keeps those that lower the loss
  Placement placement{};            ///< where a trigger is put in its caption
  Loss loss{};                      ///< L
  const Constraint& constraint;     ///< constraint(row, trigger): is it allowed there?
  TokenFilterRef filter{};          ///< tokens that triggers may use
  std::uint32_t rounds = 5;         ///< the first rounds, in which the search runs
  std::size_t encode_rows = 2048;   ///< the most sequences in one call of the text encoder
  Execution execution;              ///< threads of the library's own work
};

/// What a trigger search reads and changes.
template <class Pairs>
struct TriggerSearchSubject {
  Pairs& pairs;            ///< the captions
  TriggerTable& triggers;  ///< changed in place
  const GroupMap& scope;   ///< which rows share a trigger
};

/// Level 2 of MEM: t ← a trigger with a lower L(I + δ, T ⊕ t). HotFlip (Eq. 6) proposes tokens, and
/// the beam search keeps those that lower the loss.
///
/// It visits every row once a round. The signals do not change during the search, so each batch of
/// them is encoded once. Texts, their gradients and embeddings are in the host's memory, whatever
/// the run's policy. Source: MEM (Liu et al., ACM MM 2024), Eq. 6 and the search after it.
///
/// @tparam Loader `load(rows, next)` gives the signals of rows: BatchLoader
template <class Policies, class Pairs, class Loader, class Model>
class TriggerStage {
 public:
  /// The stage's name in events, traces and checkpoints.
  static constexpr std::string_view name = trigger_stage;

  /// @param policies how triggers are searched
  /// @param subject  captions, triggers and scope; what it refers to must outlive the stage
  /// @param pass     a pass over the rows
  /// @param loader   gives the signals; must outlive the stage
  /// @param model    gives embeddings and gradients; must outlive the stage
  /// @throws InvalidArgument for a trigger with a token that the model does not have. If there is
  ///         something to search, also when the filter is over another vocabulary or allows fewer
  ///         than two tokens, when there are more candidates than tokens, and when a batch has
  ///         fewer pairs than the loss needs.
  TriggerStage(const Policies& policies, const TriggerSearchSubject<Pairs>& subject, Pass pass,
               Loader& loader, Model& model)
      : policies_(policies),
        subject_(subject),
        pass_(std::move(pass)),
        loader_(&loader),
        model_(&model),
        filter_(policies.filter.over(token_embeddings().extent(0))) {
    const std::size_t vocabulary = token_embeddings().extent(0);
    require_in_vocabulary(subject.triggers, vocabulary);
    if (batches(0) == 0) return;
    require_size("vocabulary of the token filter", vocabulary, filter_.vocabulary());
    policies.search.validate(vocabulary);
    require(filter_.count() >= 2, "tokens that the filter allows",
            "at least 2 to choose from (trigger_rounds = 0 leaves the search out)",
            filter_.count());
    detail::require_enough_pairs<std::remove_cvref_t<decltype(policies.loss)>>(
        name, pass_.cut().smallest_batch());
  }

  /// The number of batches; 0 after the last round of the search, or if triggers have no tokens.
  [[nodiscard]] std::size_t batches(std::uint32_t round) const {
    return round < policies_.rounds && subject_.triggers.length() > 0 ? pass_.batches() : 0;
  }

  /// Searches better triggers for the groups of the batch's rows.
  /// @param at  the batch that is due
  /// @param rng the run's generator
  /// @returns the loss of the batch after the search; nothing when the loss or a gradient is not
  ///          finite, and then the triggers are unchanged
  /// @throws InvalidArgument when the model's text_gradient does not call its pullback once, or
  ///         does not write the whole gradient, and for a float signal outside the box
  template <std::uniform_random_bit_generator Rng>
  std::optional<double> run(const StageBatch& at, Rng& rng) {
    const std::span<const Index> rows = pass_.batch(at, rng);
    const auto signals = model_->encode_signals(loader_->load(rows, pass_.next(at)));
    const detail::DistinctGroups groups(detail::groups_of(subject_.scope, rows));
    const CaptionBatch texts = captions(rows, groups);
    MatrixOf<Token> triggers = current_triggers(groups);
    TokenSequences sequences(policies_.placement, subject_.triggers.length());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      sequences.add(texts.rows[i], texts.captions[i], trigger_of(triggers, groups.local.of(i)));
    }
    const TokenBatch batch = sequences.batch();
    const std::vector<float> gradient = gradient_by_group(signals, batch, groups.local);
    if (gradient.empty()) return std::nullopt;

    const auto constraint = [&](Index group, std::span<const Token> trigger) {
      return allowed(groups.groups[group], trigger);
    };
    const TriggerCandidates candidates = proposed(gradient, triggers, constraint);
    ContrastiveTriggerScorer scorer(*model_, policies_.placement, texts,
                                    caption_scorer(signals, model_->encode_texts(batch)),
                                    policies_.encode_rows);
    const BeamResult found = policies_.beam(triggers, candidates.tokens(), scorer, constraint);
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      std::ranges::copy(trigger_of(triggers, g), subject_.triggers[groups.groups[g]].begin());
    }
    hypotheses_ += found.hypotheses;
    return found.loss;
  }

  /// How many triggers have been scored so far.
  [[nodiscard]] std::size_t hypotheses() const { return hypotheses_; }

 private:
  [[nodiscard]] View<const float, 2> token_embeddings() { return model_->token_embeddings(); }

  /// Whether all rows of a group may have the trigger.
  [[nodiscard]] bool allowed(Index group, std::span<const Token> trigger) const {
    return std::ranges::all_of(subject_.scope.rows_of(group), [&](Index row) -> bool {
      return policies_.constraint(row, trigger);
    });
  }

  /// HotFlip's candidates: allowed tokens other than the current ones. The model ranks them itself
  /// if it can.
  template <class Constraint>
  [[nodiscard]] TriggerCandidates proposed(const std::vector<float>& gradient_by_group,
                                           const MatrixOf<Token>& triggers,
                                           const Constraint& constraint) {
    const View<const float, 3> gradient(
        gradient_by_group, {static_cast<std::size_t>(triggers.rows()), subject_.triggers.length(),
                            token_embeddings().extent(1)});
    const auto accept = [&](std::size_t group, std::size_t position, Token token) {
      const auto current = trigger_of(triggers, group);
      if (current[position] == token) return false;
      std::vector<Token> changed(current.begin(), current.end());
      changed[position] = token;
      return constraint(static_cast<Index>(group), std::span<const Token>(changed));
    };
    if constexpr (TokenRanker<Model>) {
      return policies_.search(*model_, gradient, filter_, accept);
    } else {
      return policies_.search(policies_.execution, gradient, token_embeddings(), filter_, accept);
    }
  }

  [[nodiscard]] static std::span<const Token> trigger_of(const MatrixOf<Token>& triggers,
                                                         std::size_t group) {
    return View<const Token, 2>(triggers).row(group);
  }

  [[nodiscard]] CaptionBatch captions(std::span<const Index> rows,
                                      const detail::DistinctGroups& groups) {
    CaptionBatch texts{.captions = {}, .groups = groups.local, .rows = {rows.begin(), rows.end()}};
    texts.captions.reserve(rows.size());
    for (const Index row : rows) {
      const std::span<const Token> caption = subject_.pairs.caption(row);
      texts.captions.emplace_back(caption.begin(), caption.end());
    }
    return texts;
  }

  [[nodiscard]] MatrixOf<Token> current_triggers(const detail::DistinctGroups& groups) const {
    MatrixOf<Token> triggers(static_cast<Eigen::Index>(groups.groups.size()),
                             static_cast<Eigen::Index>(subject_.triggers.length()));
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      std::ranges::copy(std::as_const(subject_.triggers)[groups.groups[g]],
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
    LossPullback pullback(bound_loss(policies_.loss, *model_), signals, model_->logit_scale());
    const View<float, 2> rows(by_row.data(), {batch.size(), width});
    gradient_check_.before(sequential, rows);
    model_->text_gradient(batch, pullback, View<float, 3>(by_row, extents));
    gradient_check_.after(sequential, rows, pullback.calls());
    std::vector<float> by_group(local.groups() * width);
    detail::PlacedGroups(sequential, local)
        .sum(rows, View<float, 2>(by_group.data(), {local.groups(), width}));
    if (!is_finite(pullback.value()) || !all_finite(std::span<const float>(by_group))) {
      by_group.clear();
    }
    return by_group;
  }

  template <MatrixLike Signals, MatrixLike Texts>
  [[nodiscard]] auto caption_scorer(const Signals& signals, const Texts& texts) {
    return caption_scorer_for(bound_loss(policies_.loss, *model_), signals, texts,
                              model_->logit_scale(), policies_.execution);
  }

  Policies policies_;
  TriggerSearchSubject<Pairs> subject_;
  Pass pass_;
  Loader* loader_;
  Model* model_;
  TokenFilter filter_;
  detail::GradientCheck gradient_check_{"text_gradient"};
  std::size_t hypotheses_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
