// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/tensor_view.hpp"

/// @file
/// What all scorers of captions check, and how they cut their candidates into blocks.

namespace unlearn::detail {

/// @param batch      [B, D] the shape of the batch's embeddings
/// @param replaced   [M] captions
/// @param embeddings [M, D] what they are to be replaced by
/// @throws InvalidArgument when the shapes disagree or an index is not below B.
inline void require_candidates(std::array<std::size_t, 2> batch, std::span<const Index> replaced,
                               View<const float, 2> embeddings) {
  require_size("rows of candidate embeddings", replaced.size(), embeddings.extent(0));
  require_size("columns of candidate embeddings", batch[1], embeddings.extent(1));
  for (const Index j : replaced) {
    require(j < batch[0], "caption to replace", "below the number of pairs", j);
  }
}

/// As `require_candidates`, for candidates that come true together.
/// @throws InvalidArgument as it does, and when a caption comes twice.
inline void require_distinct_candidates(std::array<std::size_t, 2> batch,
                                        std::span<const Index> replaced,
                                        View<const float, 2> embeddings) {
  require_candidates(batch, replaced, embeddings);
  std::vector<char> seen(batch[0], 0);
  for (const Index j : replaced) {
    const bool again = std::exchange(seen[j], char{1}) != 0;
    require(!again, "captions to replace", "each at most once", j);
  }
}

/// Calls score(replaced, embeddings, losses) for consecutive blocks of the candidates, on several
/// threads. The borders depend on M alone, so no loss depends on the number of threads.
template <ThreadedPolicy P, class Score>
void score_in_blocks(const P& policy, std::span<const Index> replaced,
                     View<const float, 2> embeddings, std::span<double> losses,
                     const Score& score) {
  constexpr std::size_t block = 64;
  require_size("losses of candidates", replaced.size(), losses.size());
  const auto score_blocks = [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += block) {
      const std::size_t count = std::min(block, end - first);
      score(replaced.subspan(first, count), embeddings.slice(first, count),
            losses.subspan(first, count));
    }
  };
  for_each_piece(policy, replaced.size(), block, score_blocks);
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
