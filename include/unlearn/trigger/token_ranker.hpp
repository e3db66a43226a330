// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// Fills the places of a row that has fewer candidates than there are places.
inline constexpr Token no_token = -1;

/// Ranks the tokens for HotFlip itself: for a model whose embeddings are on a device, or that has a
/// faster way to the same ranking than the library's product. A DualEncoder may also be a
/// TokenRanker. If it is not, the library ranks by `token_embeddings()`.
///
/// Requirements, for a ranker `m`, gradients `g` [R, E], a filter `f` over the vocabulary V, and
/// `tokens` and `scores` [R, depth] for any depth:
///  1. `m.rank_tokens(g, f, tokens, scores)` writes to row r the `depth` allowed tokens v with the
///     lowest scores e_vᵀ g_r, and these scores, lowest first. Among equal scores the lower id
///     comes first.
///  2. A token whose score is NaN or +∞ is never written. A row with too few tokens is filled up
///     with `no_token` and +∞.
///  3. Scores are sums of floats. They may differ from the library's own by rounding, and tokens
///  may
///     change places if their scores differ by no more than that.
///  4. The embeddings e_v are those of `m.token_embeddings()`, if `m` has that function.
///  5. The same arguments give the same result. A call does not change the results of later calls.
template <class M>
concept TokenRanker =
    requires(M& m, View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
             View<float, 2> scores) { m.rank_tokens(gradients, filter, tokens, scores); };

}  // namespace unlearn
