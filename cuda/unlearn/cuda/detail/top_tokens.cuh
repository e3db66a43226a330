// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "unlearn/core/batch.hpp"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/trigger/token_ranker.hpp"

/// @file
/// The lowest scores of each row, kept in order while blocks of scores stream by. Ties go to the
/// lower token, and what is NaN or +∞ is never kept, on every system.

namespace unlearn::cuda::detail {

/// A block of scores: token first + i of row r at [r, i].
struct ScoreBlock {
  const float* scores;
  std::size_t columns;
  Token first;
  const std::uint64_t* allowed;  ///< a bit for each token of the vocabulary

  [[nodiscard]] UNLEARN_HOST_DEVICE bool allows(Token token) const {
    const auto id = static_cast<std::uint32_t>(token);
    return (allowed[id / 64] >> (id % 64) & 1U) != 0;
  }
};

/// The best so far, [rows, depth], lowest score first.
struct TopLists {
  Token* tokens;
  float* scores;
  std::size_t depth;
};

/// One thread a row: an insertion sort that nearly every score is spared.
struct MergeBlock {
  ScoreBlock block;
  TopLists top;

  UNLEARN_HOST_DEVICE void operator()(std::size_t row) const {
    Token* const tokens = top.tokens + row * top.depth;
    float* const scores = top.scores + row * top.depth;
    for (std::size_t i = 0; i < block.columns; ++i) {
      const float score = block.scores[row * block.columns + i];
      if (!(score < scores[top.depth - 1])) continue;
      const Token token = block.first + static_cast<Token>(i);
      if (!block.allows(token)) continue;
      std::size_t slot = top.depth - 1;
      for (; slot > 0 && score < scores[slot - 1]; --slot) {
        scores[slot] = scores[slot - 1];
        tokens[slot] = tokens[slot - 1];
      }
      scores[slot] = score;
      tokens[slot] = token;
    }
  }
};

#ifdef __CUDACC__

/// The deepest list that fits into a block's shared memory.
inline constexpr std::size_t most_depth = 1024;

/// A block of threads a row. All threads sift; what passes the bar goes to a buffer in any order,
/// and one warp inserts it, by score and token, so that the order does not matter.
template <unsigned threads>
__global__ void __launch_bounds__(threads) merge_block(ScoreBlock block, TopLists top) {
  constexpr unsigned chunk = 8 * threads;
  __shared__ float list_scores[most_depth];
  __shared__ Token list_tokens[most_depth];
  __shared__ float passed_scores[chunk];
  __shared__ Token passed_tokens[chunk];
  __shared__ unsigned passed;

  const auto depth = static_cast<unsigned>(top.depth);
  const std::size_t list = blockIdx.x * top.depth;
  for (unsigned i = threadIdx.x; i < depth; i += threads) {
    list_scores[i] = top.scores[list + i];
    list_tokens[i] = top.tokens[list + i];
  }
  const float* const row = block.scores + blockIdx.x * block.columns;
  // A short first chunk: before there is a bar, everything passes.
  std::size_t width = block.first == 0 ? threads : chunk;
  for (std::size_t begin = 0; begin < block.columns; begin += width, width = chunk) {
    if (threadIdx.x == 0) passed = 0;
    __syncthreads();
    const float bar = list_scores[depth - 1];
    const std::size_t end = begin + width < block.columns ? begin + width : block.columns;
    for (std::size_t i = begin + threadIdx.x; i < end; i += threads) {
      const float score = row[i];
      const Token token = block.first + static_cast<Token>(i);
      if (score < bar && block.allows(token)) {
        const unsigned slot = atomicAdd(&passed, 1U);
        passed_scores[slot] = score;
        passed_tokens[slot] = token;
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      const unsigned lane = threadIdx.x;
      for (unsigned c = 0; c < passed; ++c) {
        const float score = passed_scores[c];
        const Token token = passed_tokens[c];
        unsigned slot = 0;
        for (unsigned base = 0; base < depth; base += 32) {
          const unsigned i = base + lane;
          const bool better = i < depth && (list_scores[i] < score ||
                                            (list_scores[i] == score && list_tokens[i] < token));
          slot += static_cast<unsigned>(__popc(__ballot_sync(~0U, better)));
        }
        if (slot >= depth) continue;
        // Everything behind the slot moves up by one, the last strip of 32 first.
        for (int base = static_cast<int>((depth - 1) / 32 * 32);
             base >= static_cast<int>(slot / 32 * 32); base -= 32) {
          const unsigned i = static_cast<unsigned>(base) + lane;
          const bool moves = i > slot && i < depth;
          const float before_score = moves ? list_scores[i - 1] : 0.0F;
          const Token before_token = moves ? list_tokens[i - 1] : no_token;
          __syncwarp();
          if (moves) {
            list_scores[i] = before_score;
            list_tokens[i] = before_token;
          }
          __syncwarp();
        }
        if (lane == 0) {
          list_scores[slot] = score;
          list_tokens[slot] = token;
        }
        __syncwarp();
      }
    }
    __syncthreads();
  }
  for (unsigned i = threadIdx.x; i < depth; i += threads) {
    top.scores[list + i] = list_scores[i];
    top.tokens[list + i] = list_tokens[i];
  }
}

#endif

/// Takes a block of scores into the lists of all rows.
template <class P, class A>
void merge(const Device<P, A>& device, std::size_t rows, const ScoreBlock& block,
           const TopLists& top) {
  if constexpr (Device<P, A>::on_cuda) {
#ifdef __CUDACC__
    if (top.depth <= most_depth) {
      merge_block<256>
          <<<static_cast<unsigned>(rows), 256, 0, stream_of(device.thrust)>>>(block, top);
      check(cudaGetLastError(), "launch of a kernel");
      finish(device.thrust);
      return;
    }
#endif
  }
  for_each_index(device, rows, MergeBlock{.block = block, .top = top});
}

}  // namespace unlearn::cuda::detail
