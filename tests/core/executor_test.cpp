// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "thread_pool.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::StrEq;
using testing::ThreadPool;
using ::testing::ThrowsMessage;

/// The least that an executor is: it calls the tasks itself, from the last to the first.
struct Backwards {
  std::size_t tasks_at_once;

  std::size_t size() const { return tasks_at_once; }
  void for_each(std::size_t n, const auto& task) const {
    while (n > 0) task(--n);
  }
};

struct WithoutSize {
  void for_each(std::size_t n, const auto& task);
};
struct TakesNoTask {
  std::size_t size() const;
  void for_each(std::size_t n);
};

static_assert(Executor<ThreadPool> && Executor<Backwards> && Executor<const Backwards>);
static_assert(!Executor<const ThreadPool>, "its for_each is not const");
static_assert(!Executor<WithoutSize> && !Executor<TakesNoTask> && !Executor<Parallel>);

static_assert(ThreadedPolicy<OnExecutor<ThreadPool>> && HostPolicy<const OnExecutor<Backwards>&>);
static_assert(!ExecutionPolicy<ThreadPool>, "a pool becomes a policy by on()");
static_assert(ThreadedPolicy<Parallel> && !ThreadedPolicy<Sequential>);
static_assert(std::is_trivially_copyable_v<OnExecutor<ThreadPool>> &&
              std::is_aggregate_v<OnExecutor<ThreadPool>>);

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Range&) const = default;
};

template <ThreadedPolicy P>
std::vector<Range> ranges_of(const P& policy, std::size_t count, std::size_t grain) {
  std::vector<Range> ranges(piece_count(policy, count, grain));
  for_each_piece(policy, count, grain, [&](std::size_t piece, std::size_t begin, std::size_t end) {
    ranges.at(piece) = {begin, end};
  });
  return ranges;
}

TEST(Executor, GetsThePiecesThatAsManyThreadsWouldGet) {
  for (const std::size_t size : {1U, 2U, 3U, 7U}) {
    Backwards backwards{size};
    ThreadPool pool(size);
    for (const std::size_t count : {0U, 1U, 9U, 64U, 1000U}) {
      for (const std::size_t grain : {1U, 8U, 300U}) {
        const auto expected = ranges_of(Parallel{static_cast<unsigned>(size)}, count, grain);
        EXPECT_EQ(ranges_of(on(backwards), count, grain), expected);
        EXPECT_EQ(ranges_of(on(pool), count, grain), expected);
      }
    }
  }
}

TEST(Executor, RunsEveryPieceOnItsOwnThreads) {
  ThreadPool pool(3);
  std::vector<std::thread::id> threads(30);
  for_each_piece(on(pool), threads.size(), 1, [&](std::size_t begin, std::size_t end) {
    while (begin < end) threads[begin++] = std::this_thread::get_id();
  });
  EXPECT_THAT(threads, Each(::testing::Ne(std::this_thread::get_id())));
  EXPECT_THAT(threads, Each(::testing::Ne(std::thread::id())));
  EXPECT_EQ(pool.uses(), 1U);
}

TEST(Executor, IsNotAskedForASinglePiece) {
  ThreadPool pool(3);
  std::thread::id thread;
  for_each_piece(on(pool), 5, 8,
                 [&](std::size_t, std::size_t) { thread = std::this_thread::get_id(); });
  EXPECT_EQ(thread, std::this_thread::get_id());
  EXPECT_EQ(pool.uses(), 0U);
}

TEST(Executor, OfSizeZeroLeavesTheWorkToTheCaller) {
  Backwards none{0};
  EXPECT_EQ(ranges_of(on(none), 100, 1), (std::vector<Range>{{0, 100}}));
}

TEST(Executor, IsAskedForItsSizeOnce) {
  Backwards growing{2};
  const auto policy = on(growing);
  growing.tasks_at_once = 50;
  EXPECT_EQ(ranges_of(policy, 100, 1).size(), 2U);
}

TEST(Executor, TheFirstPiecesExceptionReachesTheCallerAfterAllHaveEnded) {
  ThreadPool pool(4);
  std::atomic<int> ended = 0;
  const auto work = [&](std::size_t piece, std::size_t, std::size_t) {
    ++ended;
    if (piece >= 1) throw std::runtime_error("piece " + std::to_string(piece));
  };
  for (int use = 1; use <= 2; ++use) {  // the pool can be used again
    EXPECT_THAT([&] { for_each_piece(on(pool), 4, 1, work); },
                ThrowsMessage<std::runtime_error>(StrEq("piece 1")));
    EXPECT_EQ(ended, 4 * use);
  }
}

}  // namespace
}  // namespace unlearn
