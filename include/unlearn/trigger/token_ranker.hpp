// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// Fills the places of a row that has fewer candidates than there are places.
inline constexpr Token no_token = -1;

/// Ranks tokens for HotFlip by itself: a model whose embeddings are on a device, or that has a
/// faster way to the same ranking than the library's product. A DualEncoder may be one; for others
/// the library ranks by `token_embeddings()`.
///
/// Requirements, for a ranker `m`, gradients `g` [R, E], a filter `f` over the vocabulary V, and
/// `tokens` and `scores` [R, depth] for any depth:
///  1. `m.rank_tokens(g, f, tokens, scores)` writes to each row r the `depth` tokens that `f`
///     allows with the lowest scores e_vᵀ g_r, lowest first, and their scores. Among equal scores
///     the lower id comes first.
///  2. A token whose score is NaN or +∞ is never written. A row that has too few tokens is filled
///     up with `no_token` and +∞.
///  3. Scores are computed in floats. They may differ from the library's own by the rounding of
///     their sums, and tokens change places only where scores differ by no more than that.
///  4. The embeddings are those of `m.token_embeddings()`, where `m` has them.
///  5. The same arguments give the same result, and what later calls return does not change.
template <class M>
concept TokenRanker =
    requires(M& m, View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
             View<float, 2> scores) { m.rank_tokens(gradients, filter, tokens, scores); };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
