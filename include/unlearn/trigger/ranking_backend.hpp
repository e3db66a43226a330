// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// A Backend that ranks tokens for HotFlip.
///
/// Requirements, for a backend `b`, gradients `g` [R, E] and embeddings `e` [V, E] in its memory,
/// and a filter `f` over V and `tokens` and `scores` [R, depth] in the host's:
///  1. `b.rank_tokens(g, e, f, tokens, scores)` writes to each row r the `depth` tokens v that `f`
///     allows with the lowest scores e_vᵀ g_r, lowest first, and their scores. Order, ties and
///     padding are those of a TokenRanker. The result is there when it returns.
template <class B>
concept RankingBackend =
    Backend<B> &&
    requires(const B& backend, View<const float, 2> gradients, View<const float, 2> embeddings,
             const TokenFilter& filter, View<Token, 2> tokens, View<float, 2> scores) {
      backend.rank_tokens(gradients, embeddings, filter, tokens, scores);
    };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
