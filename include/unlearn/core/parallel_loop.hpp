// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "unlearn/core/execution.hpp"

namespace unlearn {
namespace detail {

/// While it lives, OpenMP (and so Eigen's products) starts no threads from this thread: the cores
/// are busy with the pieces.
class OpenMpSingleThread {
 public:
#ifdef _OPENMP
  OpenMpSingleThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OpenMpSingleThread() { omp_set_num_threads(before_); }
#else
  OpenMpSingleThread() = default;
  ~OpenMpSingleThread() = default;
#endif
  OpenMpSingleThread(const OpenMpSingleThread&) = delete;
  OpenMpSingleThread& operator=(const OpenMpSingleThread&) = delete;

#ifdef _OPENMP
 private:
  int before_;
#endif
};

/// Threads that are joined at the end, also by an exception. (libc++ 19 has no std::jthread.)
class JoinedThreads {
 public:
  explicit JoinedThreads(std::size_t most) { threads_.reserve(most); }
  ~JoinedThreads() {
    for (std::thread& thread : threads_) thread.join();
  }
  JoinedThreads(const JoinedThreads&) = delete;
  JoinedThreads& operator=(const JoinedThreads&) = delete;

  template <class Call>
  void start(const Call& call, std::size_t piece) {
    threads_.emplace_back(call, piece);
  }

 private:
  std::vector<std::thread> threads_;
};

/// Calls `call(piece)` for each of [0, pieces), at most `threads` at a time; `call` must not throw.
///
/// In a program that is compiled with OpenMP, OpenMP's team does the work. Its threads spin for a
/// while after each use, LibTorch's products included, and other threads would share their cores.
template <class Call>
void on_threads(unsigned threads, std::size_t pieces, const Call& call) {
  if (pieces == 1) return call(std::size_t{0});
#ifdef _OPENMP
  // As many threads in every call: OpenMP starts new threads for a team of another size.
#pragma omp parallel for schedule(static, 1) num_threads(static_cast<int>(threads))
  for (std::size_t piece = 0; piece < pieces; ++piece) call(piece);
#else
  JoinedThreads others(pieces - 1);
  for (std::size_t piece = 1; piece < pieces; ++piece) others.start(call, piece);
  call(std::size_t{0});
  static_cast<void>(threads);
#endif
}

}  // namespace detail

/// @returns how many pieces `for_each_piece` makes of [0, count).
template <ThreadedPolicy P>
std::size_t piece_count(const P& policy, std::size_t count, std::size_t grain) {
  const std::size_t grains = (count + grain - 1) / grain;
  return std::clamp<std::size_t>(grains, 1, policy.thread_count());
}

/// Calls `work(begin, end)`, or `work(piece, begin, end)`, for consecutive pieces of [0, count),
/// one piece a thread.
///
/// Every inner border is a multiple of `grain`; with fewer than two grains there is one piece, on
/// the calling thread.
///
/// @throws the first exception of a piece, after all pieces have ended; std::system_error when a
///         thread cannot be started (OpenMP ends the program then); what an executor itself throws
template <ThreadedPolicy P, class Work>
void for_each_piece(const P& policy, std::size_t count, std::size_t grain, const Work& work) {
  if (count == 0) return;
  const std::size_t grains = (count + grain - 1) / grain;
  const std::size_t pieces = piece_count(policy, count, grain);
  const auto border = [&](std::size_t piece) {
    return std::min(count, (grains * piece / pieces) * grain);
  };
  std::vector<std::exception_ptr> failures(pieces);
  const auto run = [&](std::size_t piece) {
    [[maybe_unused]] const detail::OpenMpSingleThread single_thread;
    try {
      if constexpr (std::invocable<const Work&, std::size_t, std::size_t, std::size_t>) {
        work(piece, border(piece), border(piece + 1));
      } else {
        work(border(piece), border(piece + 1));
      }
    } catch (...) {
      failures[piece] = std::current_exception();
    }
  };
  if constexpr (detail::is_on_executor<P>) {
    if (pieces == 1) {
      run(0);
    } else {
      policy.executor->for_each(pieces, run);
    }
  } else {
    detail::on_threads(policy.thread_count(), pieces, run);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
