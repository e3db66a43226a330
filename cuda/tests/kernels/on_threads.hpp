// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// CUDA's words for kernels, for a host compiler: include it before the kernels. A block's threads
/// are threads of the host, and blocks run one after another. Between two barriers threads run in
/// whatever order the host gives them, and ThreadSanitizer sees what a barrier is missing for.

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define UNLEARN_KERNELS
#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __shared__ static  // one block at a time

namespace unlearn::testing {

struct Dim {
  unsigned x;
};

/// Of pthreads, as ThreadSanitizer knows what these order and what they do not; those of the
/// standard library share a pool of waiting threads, which orders more.
class Barrier {
 public:
  explicit Barrier(unsigned threads) { pthread_barrier_init(&barrier_, nullptr, threads); }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier() { pthread_barrier_destroy(&barrier_); }

  void arrive_and_wait() { pthread_barrier_wait(&barrier_); }

 private:
  pthread_barrier_t barrier_{};
};

/// What the threads of a block share.
class Block {
 public:
  static constexpr unsigned warp_size = 32;

  /// @param threads a multiple of 32
  explicit Block(unsigned threads) : all_(threads), words_(threads) {
    for (unsigned first = 0; first < threads; first += warp_size) {
      warps_.push_back(std::make_unique<Barrier>(warp_size));
    }
  }

  void sync() { all_.arrive_and_wait(); }

  /// The number of the thread in the same warp whose lane is `lane` ^ `distance`.
  template <class T>
  [[nodiscard]] T exchange(unsigned thread, T number, unsigned distance) {
    static_assert(sizeof(T) <= sizeof(Word));
    Barrier& warp = *warps_[thread / warp_size];
    std::memcpy(&words_[thread], &number, sizeof number);
    warp.arrive_and_wait();
    std::memcpy(&number, &words_[thread ^ distance], sizeof number);
    warp.arrive_and_wait();
    return number;
  }

 private:
  using Word = double;

  Barrier all_;
  std::vector<std::unique_ptr<Barrier>> warps_;
  std::vector<Word> words_;
};

inline thread_local Block* this_block = nullptr;

}  // namespace unlearn::testing

inline thread_local unlearn::testing::Dim threadIdx{};
inline thread_local unlearn::testing::Dim blockIdx{};
inline thread_local unlearn::testing::Dim gridDim{};

inline void __syncthreads() { unlearn::testing::this_block->sync(); }

template <class T>
[[nodiscard]] T __shfl_xor_sync(unsigned /*all lanes*/, T number, unsigned distance) {
  return unlearn::testing::this_block->exchange(threadIdx.x, number, distance);
}

inline unsigned atomicAdd(unsigned* number, unsigned more) {
  return std::atomic_ref<unsigned>(*number).fetch_add(more, std::memory_order_relaxed);
}

namespace unlearn::testing {

/// kernel<<<blocks, threads>>>(), to its end.
template <class Kernel>
void launch(unsigned blocks, unsigned threads, const Kernel& kernel) {
  Block shared(threads);
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      this_block = &shared;
      threadIdx = {thread};
      gridDim = {blocks};
      for (unsigned block = 0; block < blocks; ++block) {
        blockIdx = {block};
        kernel();
        shared.sync();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace unlearn::testing
