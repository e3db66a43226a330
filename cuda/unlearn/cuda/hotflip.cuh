// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/product.cuh"
#include "unlearn/cuda/detail/top_tokens.cuh"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn::cuda {
namespace detail {

/// Numbers in a block of scores, 40 MiB: what the cache of a large GPU holds.
inline constexpr std::size_t most_scores = std::size_t{10} << 20U;

/// Tokens in a block of scores: as many as `most_scores` allow, in whole waves of the product.
///
/// A product is computed in tiles, and a last wave of them that is half empty takes as long as a
/// full one. Assumes what cuBLAS may choose: tiles of 128 rows and 128 or 256 tokens, one at a time
/// on each multiprocessor.
[[nodiscard]] inline std::size_t tokens_in_block(std::size_t rows, std::size_t vocabulary,
                                                 std::size_t multiprocessors) {
  constexpr std::size_t tile_rows = 128;
  constexpr std::size_t tile_tokens = 256;
  const std::size_t most = std::max<std::size_t>(most_scores / rows, 1);
  const std::size_t tiles = multiprocessors / ((rows + tile_rows - 1) / tile_rows);
  const std::size_t wave = std::max<std::size_t>(tiles, 1) * tile_tokens;
  return std::min(vocabulary, most < wave ? most : most / wave * wave);
}

struct NoTokens {
  TopLists top;
  UNLEARN_HOST_DEVICE void operator()(std::size_t i) const {
    top.tokens[i] = no_token;
    top.scores[i] = std::numeric_limits<float>::infinity();
  }
};

}  // namespace detail

/// HotFlip's ranking on a device: for each row r the `depth` allowed tokens v with the lowest
/// scores e_vᵀ g_r, lowest first.
///
/// The product is taken in blocks of 40 MiB at most, by cuBLAS on CUDA, and each block is ranked
/// before the next: a larger [R, V] matrix never exists. Ties go to the lower id; NaN and +∞ are
/// never chosen, and missing tokens are `no_token`. The same arguments give the same
/// bytes. All arguments are in the device's memory. Does not wait.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 6.
///
/// @param gradients  [R, E]
/// @param embeddings [V, E]
/// @param allowed    TokenFilter::words() of a filter over V
/// @param tokens     [R, depth] out
/// @param scores     [R, depth] out
/// @throws InvalidArgument when the shapes disagree, or depth is 0.
template <class P, class A>
void rank_tokens(const Queue<P, A>& queue, View<const float, 2> gradients,
                 View<const float, 2> embeddings, View<const std::uint64_t, 1> allowed,
                 View<Token, 2> tokens, View<float, 2> scores) {
  using detail::Op;
  const std::size_t rows = gradients.extent(0);
  const std::size_t vocabulary = embeddings.extent(0);
  unlearn::require_size("width of the token embeddings", gradients.extent(1), embeddings.extent(1));
  unlearn::require_size("words of the token filter", (vocabulary + 63) / 64, allowed.size());
  unlearn::require_size("rows of ranked tokens", rows, tokens.extent(0));
  unlearn::require(tokens.extents() == scores.extents(), "scores of ranked tokens",
                   "the shape of the tokens", "another");
  unlearn::require(tokens.extent(1) > 0, "depth of the ranking", "at least 1", 0);
  const detail::TopLists top{
      .tokens = tokens.data(), .scores = scores.data(), .depth = tokens.extent(1)};
  detail::for_each_index(queue, tokens.size(), detail::NoTokens{top});
  if (rows == 0) return;
  const std::size_t widest =
      detail::tokens_in_block(rows, vocabulary, detail::multiprocessors(queue));
  const auto block = queue.template scratch<float>(rows * widest);
  for (std::size_t first = 0; first < vocabulary; first += widest) {
    const std::size_t count = std::min(widest, vocabulary - first);
    detail::multiply<Op::plain, Op::transposed>(queue, 1.0F, gradients,
                                                embeddings.slice(first, count),
                                                View<float, 2>(block.data(), {rows, count}));
    detail::merge(queue, rows,
                  detail::ScoreBlock{.scores = block.data(),
                                     .columns = count,
                                     .first = static_cast<Token>(first),
                                     .allowed = allowed.data()},
                  top);
  }
}

/// The same with filter and result in the host's memory: what HotFlipCandidateSearch does with a
/// Device. Waits for the device.
/// @param tokens [R, depth] out, as are the scores
/// @throws InvalidArgument as rank_tokens() does.
template <class P, class A>
void rank_tokens_to_host(const Queue<P, A>& queue, View<const float, 2> gradients,
                         View<const float, 2> embeddings, const TokenFilter& filter,
                         View<Token, 2> tokens, View<float, 2> scores) {
  const View<const std::uint64_t, 1> words(filter.words(), {filter.words().size()});
  const auto allowed = queue.template scratch<std::uint64_t>(words.size());
  const auto best = queue.template scratch<Token>(tokens.size());
  const auto best_scores = queue.template scratch<float>(scores.size());
  queue.copy_in(words.data(), words.size(), allowed.data());
  rank_tokens(queue, gradients, embeddings,
              View<const std::uint64_t, 1>(allowed.data(), words.extents()),
              View<Token, 2>(best.data(), tokens.extents()),
              View<float, 2>(best_scores.data(), scores.extents()));
  queue.copy_out(best.data(), tokens.size(), tokens.data());
  queue.copy_out(best_scores.data(), scores.size(), scores.data());
}

}  // namespace unlearn::cuda
