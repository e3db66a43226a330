// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/product.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/ranking_backend.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"
#include "unlearn/trigger/top_tokens.hpp"

namespace unlearn {

/// The result of a HotFlip search: for each sample and trigger position, the k tokens with the
/// lowest scores e_vᵀ ∂L/∂e_j.
class TriggerCandidates {
 public:
  /// Makes room for k = `candidates` tokens at each position. There is none yet.
  /// @throws InvalidArgument when that is more than memory can be addressed for
  TriggerCandidates(std::size_t samples, std::size_t positions, std::size_t candidates)
      : extents_{samples, positions, candidates},
        tokens_(
            require_addressable<Token>("samples of trigger candidates", samples,
                                       require_addressable<Token>("positions of trigger candidates",
                                                                  positions, candidates)),
            no_token),
        scores_(tokens_.size(), positive_infinity<float>()) {}

  /// [samples, positions, k] token ids, best first, padded with `no_token`.
  [[nodiscard]] View<const Token, 3> tokens() const { return {tokens_.data(), extents_}; }
  /// The same ids, for writing.
  [[nodiscard]] View<Token, 3> tokens() { return {tokens_.data(), extents_}; }
  /// [samples, positions, k] scores e_vᵀ ∂L/∂e_j, ascending, padded with +∞.
  [[nodiscard]] View<const float, 3> scores() const { return {scores_.data(), extents_}; }
  /// The same scores, for writing.
  [[nodiscard]] View<float, 3> scores() { return {scores_.data(), extents_}; }

 private:
  std::array<std::size_t, 3> extents_;
  std::vector<Token> tokens_;
  std::vector<float> scores_;
};

/// The hook that accepts every token.
struct AcceptAnyToken {
  /// Always true.
  constexpr bool operator()(std::size_t, std::size_t, Token) const { return true; }
};

/// Can reject a single token that the filter allows: for instance because it would not survive
/// decoding and encoding with this sample's caption.
///
/// Requirements, for a hook `accept`:
///  1. `accept(sample, position, token)` returns a bool. It is asked in the order of rank, until
///     enough tokens are accepted or the spares are used up.
template <class H>
concept CandidateHook =
    std::invocable<H&, std::size_t, std::size_t, Token> &&
    std::convertible_to<std::invoke_result_t<H&, std::size_t, std::size_t, Token>, bool>;

/// HotFlip: the k tokens with the lowest first-order change of the loss, for each trigger position.
///
/// Replacing the trigger token with embedding e_j by token v changes the loss, to first order, by
/// (e_v − e_j)ᵀ ∂L/∂e_j. The term with e_j is the same for all v and does not affect the ranking,
/// so the score of v is e_vᵀ ∂L/∂e_j. Source: MEM (Liu et al., ACM MM 2024), Eq. 6; Ebrahimi et
/// al., HotFlip, ACL 2018.
///
/// All scores together are the product of the gradients [R, E] and the transposed embeddings [V,
/// E], with R = samples · positions. It is computed in blocks of tokens, and each block is ranked
/// while it is in the cache, so the [R, V] matrix never exists. The search needs a block of R ×
/// 1,024 floats for each thread.
struct HotFlipCandidateSearch {
  /// k, the candidates for each position; at least 1, and at most the vocabulary.
  std::size_t candidates = 16;
  /// How many more tokens are ranked, to replace those that a hook rejects.
  std::size_t spares = 16;

  /// @param policy     Parallel or an executor's; Sequential for the reference, one dot product at
  ///                   a time; or a RankingBackend: gradients and embeddings are then in its
  ///                   memory, and the call waits for the result
  /// @param gradients  [samples, positions, E] ∂L/∂e_j
  /// @param embeddings [V, E], the token embeddings of the model
  /// @param filter     the tokens that may be candidates; over the same V
  /// @param accept     a CandidateHook; called in order of rank for allowed tokens, until it has
  ///                   accepted k of them or the spares are used up
  /// @returns [samples, positions, k]. Among equal scores the lower id comes first. A token whose
  ///          score is NaN or +∞ is never chosen. The result is the same to the last bit for any
  ///          number of threads. The reference can differ by the rounding of its sums.
  /// @throws InvalidArgument when E or V differ between the arguments, k is 0, or k is above V
  template <ExecutionPolicy Policy, CandidateHook Hook = AcceptAnyToken>
  [[nodiscard]] TriggerCandidates operator()(const Policy& policy, View<const float, 3> gradients,
                                             View<const float, 2> embeddings,
                                             const TokenFilter& filter, Hook accept = {}) const {
    require_size("width of the token embeddings", gradients.extent(2), embeddings.extent(1));
    require_size("vocabulary of the token filter", embeddings.extent(0), filter.vocabulary());
    validate(filter.vocabulary());
    const std::size_t samples = gradients.extent(0);
    const std::size_t positions = gradients.extent(1);
    const View<const float, 2> rows(gradients.data(), {samples * positions, gradients.extent(2)});

    return chosen({samples, positions}, accept, rank(policy, rows, embeddings, filter));
  }

  /// Lets `ranker`, for instance the model, rank the tokens by its own embeddings.
  /// @param ranker    a TokenRanker
  /// @param gradients [samples, positions, E] ∂L/∂e_j
  /// @param filter    the tokens that may be candidates
  /// @param accept    a CandidateHook; called in order of rank for allowed tokens, until it has
  ///                  accepted k of them or the spares are used up
  /// @returns [samples, positions, k], as the overload above
  /// @throws InvalidArgument when k is 0 or above the vocabulary, and what the ranker throws
  template <TokenRanker Ranker, CandidateHook Hook = AcceptAnyToken>
  [[nodiscard]] TriggerCandidates operator()(Ranker& ranker, View<const float, 3> gradients,
                                             const TokenFilter& filter, Hook accept = {}) const {
    validate(filter.vocabulary());
    const std::size_t rows = gradients.extent(0) * gradients.extent(1);
    const View<const float, 2> of_rows(gradients.data(), {rows, gradients.extent(2)});
    return chosen({gradients.extent(0), gradients.extent(1)}, accept,
                  ranking(rows, filter, [&](View<Token, 2> tokens, View<float, 2> scores) {
                    ranker.rank_tokens(of_rows, filter, tokens, scores);
                  }));
  }

  /// @throws InvalidArgument when k is 0 or above the vocabulary
  void validate(std::size_t vocabulary) const {
    constexpr std::string_view thing = "candidates of a HotFlip search";
    require(candidates > 0, thing, "at least 1", candidates);
    require(candidates <= vocabulary, thing,
            "at most the vocabulary of " + detail::in_words(vocabulary), candidates);
  }

 private:
  static constexpr std::size_t block_tokens = 1024;

  /// How many tokens are ranked for each row. There are no more spares than tokens.
  [[nodiscard]] std::size_t depth_for(const TokenFilter& filter) const {
    return candidates + std::min(spares, filter.vocabulary() - candidates);
  }

  /// What `rank(tokens, scores)` writes to [rows, depth]; not called without rows.
  template <class Rank>
  [[nodiscard]] TopTokens ranking(std::size_t rows, const TokenFilter& filter,
                                  const Rank& rank) const {
    const std::size_t depth = depth_for(filter);
    TopTokens best(rows, depth);
    std::vector<Token> tokens(rows * depth, no_token);
    std::vector<float> scores(rows * depth, positive_infinity<float>());
    if (rows > 0) {
      rank(View<Token, 2>(tokens.data(), {rows, depth}),
           View<float, 2>(scores.data(), {rows, depth}));
    }
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t place = 0; place < depth; ++place) {
        best.row(r)[place] = {.score = scores[r * depth + place],
                              .token = tokens[r * depth + place]};
      }
    }
    return best;
  }

  /// The first k of each row that the hook accepts.
  template <class Hook>
  [[nodiscard]] TriggerCandidates chosen(std::array<std::size_t, 2> extents, Hook& accept,
                                         TopTokens ranked) const {
    const auto [samples, positions] = extents;
    TriggerCandidates result(samples, positions, candidates);
    for (std::size_t r = 0; r < samples * positions; ++r) {
      const std::size_t sample = r / positions;
      const std::size_t position = r % positions;
      std::size_t kept = 0;
      for (const ScoredToken& entry : ranked.row(r)) {
        if (kept == candidates) break;
        if (entry.token == no_token) break;
        if (!accept(sample, position, entry.token)) continue;
        result.tokens()[sample][position][kept] = entry.token;
        result.scores()[sample][position][kept] = entry.score;
        ++kept;
      }
    }
    return result;
  }

  template <BackendPolicy B>
  [[nodiscard]] TopTokens rank(const B& backend, View<const float, 2> gradients,
                               View<const float, 2> embeddings, const TokenFilter& filter) const {
    static_assert(RankingBackend<B>,
                  "this policy is no unlearn::RankingBackend: see its requirements in "
                  "unlearn/trigger/ranking_backend.hpp");
    return ranking(gradients.extent(0), filter, [&](View<Token, 2> tokens, View<float, 2> scores) {
      backend.rank_tokens(gradients, embeddings, filter, tokens, scores);
    });
  }

  // These are templates so that a program compiles Eigen's product only where it searches.
  template <class T>
  [[nodiscard]] TopTokens rank(Sequential /*reference*/, View<const T, 2> gradients,
                               View<const T, 2> embeddings, const TokenFilter& filter) const {
    TopTokens best(gradients.extent(0), depth_for(filter));
    for (std::size_t r = 0; r < gradients.extent(0); ++r) {
      for (std::size_t v = 0; v < embeddings.extent(0); ++v) {
        float score = 0;
        for (std::size_t e = 0; e < embeddings.extent(1); ++e) {
          score += gradients[r][e] * embeddings[v][e];
        }
        best.offer(r, static_cast<Token>(v), {&score, 1}, filter);
      }
    }
    return best;
  }

  template <ThreadedPolicy P, class T>
  [[nodiscard]] TopTokens rank(const P& policy, View<const T, 2> gradients,
                               View<const T, 2> embeddings, const TokenFilter& filter) const {
    const std::size_t rows = gradients.extent(0);
    const std::size_t vocabulary = embeddings.extent(0);
    const std::size_t depth = depth_for(filter);
    const std::size_t pieces = piece_count(policy, vocabulary, block_tokens);
    std::vector<TopTokens> best(pieces, TopTokens(rows, depth));

    for_each_piece(policy, vocabulary, block_tokens,
                   [&](std::size_t piece, std::size_t begin, std::size_t end) {
                     Matrix scores;
                     for (std::size_t first = begin; first < end; first += block_tokens) {
                       const std::size_t count = std::min(block_tokens, end - first);
                       scores.resize(static_cast<Eigen::Index>(rows),
                                     static_cast<Eigen::Index>(count));
                       multiply_by_transposed<T>(gradients, embeddings.slice(first, count), scores);
                       for (std::size_t r = 0; r < rows; ++r) {
                         best[piece].offer(r, static_cast<Token>(first),
                                           View<const float, 2>(scores).row(r), filter);
                       }
                     }
                   });

    for (std::size_t piece = 1; piece < pieces; ++piece) {
      for (std::size_t r = 0; r < rows; ++r) best[0].merge(r, best[piece].row(r));
    }
    return std::move(best[0]);
  }
};

static_assert(std::is_trivially_copyable_v<HotFlipCandidateSearch>);
static_assert(std::is_aggregate_v<HotFlipCandidateSearch>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
