// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "thread_pool.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/executor.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"

namespace unlearn {
namespace {

using testing::Example;
using testing::Pixels;
using testing::small_mem;
using testing::ThreadPool;
using testing::TwoTowers;

/// How often a stage used the pool.
struct PoolUses {
  const ThreadPool* pool;
  std::size_t before = 0;
  std::map<std::string, std::size_t> of_stage{};

  void operator()(const BatchEnd& event) {
    of_stage[std::string(event.stage)] += pool->uses() - before;
    before = pool->uses();
  }
};

/// Large enough that each kind of work is cut into pieces: noise steps, HotFlip and scoring.
Example<Pixels> large_example() {
  Example<Pixels> example({.signals = 24, .elements = 4000});
  example.model = TwoTowers(4000, /*seed=*/2, /*vocabulary=*/3000);
  return example;
}

MultiStepMinimizer<> large_mem() {
  MultiStepMinimizer<> mem = small_mem();
  mem.search.candidates = 6;
  mem.rounds = 2;
  mem.batch_size = 24;
  return mem;
}

TEST(MemOnAnExecutor, HasTheBytesOfParallelAndUsesThePoolInEveryStage) {
  Example<Pixels> by_threads = large_example();
  by_threads.run(large_mem());

  Example<Pixels> by_pool = large_example();
  ThreadPool pool(3);
  PoolUses uses{.pool = &pool};
  const RunResult result = large_mem().minimize(on(pool), by_pool.model, by_pool.pairs,
                                                by_pool.state, by_pool.rng, uses);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_TRUE(by_pool.everything() == by_threads.everything()) << "other bytes than Parallel";
  EXPECT_GT(uses.of_stage.at("noise"), 0U);
  // HotFlip's ranking takes one use a batch, and so does each position's scoring.
  EXPECT_GE(uses.of_stage.at("trigger"), 2 * (1 + testing::two_words.size()));
}

}  // namespace
}  // namespace unlearn
