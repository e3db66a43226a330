// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// Stands where a row has fewer candidates than were asked for.
inline constexpr Token no_token = -1;

/// Ranks tokens for HotFlip by itself: a model whose embeddings lie on a device, or that has a
/// faster way to the same ranking than the library's product. A DualEncoder may be one; without it,
/// the library ranks by `token_embeddings()`.
///
/// Requirements, for a ranker `m`, gradients `g` [R, E], a filter `f` over the vocabulary V, and
/// `tokens` and `scores` [R, depth] for any depth:
///  1. `m.rank_tokens(g, f, tokens, scores)` writes to each row r the `depth` tokens that `f`
///  allows
///     with the lowest scores e_vᵀ g_r, lowest first, and their scores; among equal scores the
///     lower id comes first.
///  2. A token whose score is NaN or +∞ is never written; where a row has too few tokens,
///  `no_token`
///     and +∞ stand behind them.
///  3. Scores are those of floats: they may differ from the library's own by the rounding of their
///     sums, and tokens change places where they differ by no more.
///  4. The embeddings are those of `m.token_embeddings()`, where `m` has them.
///  5. The same arguments give the same result, and what later calls return does not change.
template <class M>
concept TokenRanker =
    requires(M& m, View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
             View<float, 2> scores) { m.rank_tokens(gradients, filter, tokens, scores); };

}  // namespace unlearn
