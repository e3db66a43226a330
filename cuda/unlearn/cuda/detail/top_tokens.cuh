// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

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

#ifdef UNLEARN_KERNELS

/// The deepest list that merge_block holds in shared memory.
inline constexpr std::size_t most_depth = 1024;

/// A token and its score. No two tokens are the same, so there is one order.
struct Ranked {
  float score;
  Token token;

  [[nodiscard]] __device__ bool before(const Ranked& other) const {
    return score < other.score || (score == other.score && token < other.token);
  }
};

/// How many of a sorted list come before `own`.
[[nodiscard]] __device__ inline unsigned place_in(const Ranked* list, unsigned depth,
                                                  const Ranked& own) {
  unsigned place = 0;
  for (unsigned left = depth; left > 0;) {
    const unsigned half = left / 2;
    const bool before = list[place + half].before(own);
    place += before ? half + 1 : 0U;
    left = before ? left - half - 1 : half;
  }
  return place;
}

/// A block of threads a row. All threads sift a chunk of scores; what passes the bar goes to a
/// buffer in any order. Then each of these, and each in the list, counts those that come before it:
/// that is its place in the next list, whatever the order in the buffer.
template <unsigned threads>
__global__ void __launch_bounds__(threads) merge_block(ScoreBlock block, TopLists top) {
  constexpr unsigned at_once = 8;  // scores that a thread has on their way
  __shared__ Ranked lists[2][most_depth];
  __shared__ Ranked passed[at_once * threads];
  __shared__ unsigned counts[2];  // of what passed, in even and odd chunks

  const auto depth = static_cast<unsigned>(top.depth);
  Token* const tokens = top.tokens + blockIdx.x * top.depth;
  float* const scores = top.scores + blockIdx.x * top.depth;
  const float* const row = block.scores + blockIdx.x * block.columns;
  Ranked* list = lists[0];
  Ranked* next = lists[1];
  for (unsigned i = threadIdx.x; i < depth; i += threads) list[i] = {scores[i], tokens[i]};
  if (threadIdx.x == 0) counts[0] = 0;

  // A short first chunk: before there is a bar, everything passes.
  std::size_t width = block.first == 0 ? threads : at_once * threads;
  unsigned parity = 0;
  for (std::size_t begin = 0; begin < block.columns; begin += width, width = at_once * threads) {
    const std::size_t end = begin + width < block.columns ? begin + width : block.columns;
    float sifted[at_once];
    for (unsigned k = 0; k < at_once; ++k) {
      const std::size_t i = begin + k * threads + threadIdx.x;
      sifted[k] = i < end ? row[i] : std::numeric_limits<float>::infinity();
    }
    __syncthreads();  // the list is whole, and nobody reads the buffer any more
    const float bar = list[depth - 1].score;
    for (unsigned k = 0; k < at_once; ++k) {
      if (!(sifted[k] < bar)) continue;
      const Token token = block.first + static_cast<Token>(begin + k * threads + threadIdx.x);
      if (block.allows(token)) passed[atomicAdd(&counts[parity], 1U)] = {sifted[k], token};
    }
    if (threadIdx.x == 0) counts[1 - parity] = 0;
    __syncthreads();
    const unsigned arrived = counts[parity];
    parity = 1 - parity;
    if (arrived == 0) continue;
    for (unsigned i = threadIdx.x; i < depth + arrived; i += threads) {
      const Ranked own = i < depth ? list[i] : passed[i - depth];
      unsigned place = i < depth ? i : place_in(list, depth, own);
      for (unsigned k = 0; k < arrived; ++k) place += passed[k].before(own) ? 1U : 0U;
      if (place < depth) next[place] = own;
    }
    Ranked* const last = list;
    list = next;
    next = last;
  }
  __syncthreads();
  for (unsigned i = threadIdx.x; i < depth; i += threads) {
    scores[i] = list[i].score;
    tokens[i] = list[i].token;
  }
}

#endif

/// Takes a block of scores into the lists of all rows.
template <class P, class A>
void merge(const Queue<P, A>& queue, std::size_t rows, const ScoreBlock& block,
           const TopLists& top) {
  if constexpr (Queue<P, A>::on_cuda) {
#ifdef __CUDACC__
    if (top.depth <= most_depth) {
      merge_block<256>
          <<<static_cast<unsigned>(rows), 256, 0, stream_of(queue.thrust_policy())>>>(block, top);
      check(cudaGetLastError(), "launch of a kernel");
      finish(queue.thrust_policy());
      return;
    }
#endif
  }
  for_each_index(queue, rows, MergeBlock{.block = block, .top = top});
}

}  // namespace unlearn::cuda::detail
