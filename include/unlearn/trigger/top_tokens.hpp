// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn {

/// A token that a search ranks; without arguments, an empty place behind all others.
struct ScoredToken {
  float score = positive_infinity<float>();  ///< lower is better
  Token token = no_token;                    ///< no_token in an empty place
};

/// The `depth` tokens of each row with the lowest scores, lowest first, kept in order while the
/// scores of the vocabulary arrive piece by piece.
///
/// A row must be offered its tokens in ascending order: a later token then loses every tie, and
/// among equal scores the lower id comes first.
class TopTokens {
 public:
  /// No tokens yet, in room for `depth` of them in each row.
  /// @param rows how many searches run side by side
  /// @param depth at least 1
  /// @throws InvalidArgument when rows · depth is more than memory can be addressed for
  TopTokens(std::size_t rows, std::size_t depth)
      : depth_(depth),
        entries_(require_addressable<ScoredToken>("rows of ranked tokens", rows, depth)) {}

  /// The best tokens of row `r`, lowest score first; places that nothing took are `no_token`, +∞.
  [[nodiscard]] std::span<ScoredToken> row(std::size_t r) {
    return std::span(entries_).subspan(r * depth_, depth_);
  }

  /// Offers the scores of tokens first, first + 1, ... to row `r`. A token that the filter denies,
  /// and one whose score is NaN or +∞, is not taken.
  void offer(std::size_t r, Token first, std::span<const float> scores, const TokenFilter& filter) {
    constexpr std::size_t stride = 64;
    const std::span<ScoredToken> best = row(r);
    for (std::size_t begin = 0; begin < scores.size(); begin += stride) {
      const auto chunk = scores.subspan(begin, std::min(stride, scores.size() - begin));
      // Nearly every chunk holds nothing: a loop without branches finds that out in vectors.
      const float bar = best.back().score;
      int any = 0;
      for (const float score : chunk) any |= static_cast<int>(score < bar);
      if (any == 0) continue;
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        const Token token = first + static_cast<Token>(begin + i);
        if (chunk[i] < best.back().score && is_below_infinity(chunk[i]) && filter.allows(token))
          insert(best, {.score = chunk[i], .token = token});
      }
    }
  }

  /// Takes over what a later piece of the vocabulary found for row `r`.
  void merge(std::size_t r, std::span<const ScoredToken> others) {
    for (const ScoredToken& other : others) {
      if (other.score < row(r).back().score) insert(row(r), other);
    }
  }

 private:
  static void insert(std::span<ScoredToken> best, const ScoredToken& entry) {
    std::size_t slot = best.size() - 1;
    for (; slot > 0 && entry.score < best[slot - 1].score; --slot) best[slot] = best[slot - 1];
    best[slot] = entry;
  }

  std::size_t depth_;
  std::vector<ScoredToken> entries_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
