// SPDX-License-Identifier: Apache-2.0
// Compares the search for trigger candidates at CLIP's size to the matrix product that it must
// contain: 128 samples x 3 positions, 49,408 tokens of 512 numbers, the 16 best of each row.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "peak_memory.hpp"
#include "summary.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace {

using unlearn::as_eigen;
using unlearn::Matrix;
using unlearn::Parallel;
using unlearn::TokenFilter;
using unlearn::TriggerCandidates;
using unlearn::View;

constexpr std::size_t samples = 128;
constexpr std::size_t positions = 3;
constexpr std::size_t rows = samples * positions;
constexpr std::size_t vocabulary = 49'408;
constexpr std::size_t width = 512;
constexpr int repeats = 9;
constexpr unlearn::HotFlipCandidateSearch search{.candidates = 16};

/// Whole numbers from -127 to 127: every sum of 512 products is exact in a float, in any order.
std::vector<float> drawn(std::uint64_t seed, std::size_t count) {
  unlearn::SplitMix64 rng(seed);
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    number = static_cast<float>(static_cast<int>(unlearn::uniform_below(255, rng)) - 127);
  }
  return numbers;
}

struct Data {
  [[nodiscard]] View<const float, 3> gradients(std::size_t count = samples) const {
    return {gradient.data(), {count, positions, width}};
  }
  [[nodiscard]] View<const float, 2> table() const { return {embedding, {vocabulary, width}}; }

  template <class Policy>
  [[nodiscard]] TriggerCandidates candidates(const Policy& policy,
                                             std::size_t count = samples) const {
    return search(policy, gradients(count), table(), filter);
  }

  std::vector<float> gradient = drawn(1, rows* width);
  std::vector<float> embedding = drawn(2, vocabulary* width);
  TokenFilter filter = [] {
    TokenFilter words(vocabulary);
    words.deny(vocabulary - 1);
    words.deny(vocabulary - 2);
    return words;
  }();
};

/// Computes only the scores [rows, vocabulary], on the same threads, in the faster of two ways:
/// into one matrix for all of them, or block by block into the same memory.
class Product {
 public:
  explicit Product(const Data& data) : data_(&data), scores_(rows, vocabulary) {
    const double whole = time_of(vocabulary);
    const double blocked = time_of(block_tokens);
    block_ = whole < blocked ? vocabulary : block_tokens;
    std::printf("product: %s\n", whole < blocked ? "whole" : "in blocks");
  }

  void operator()() { run(block_); }

 private:
  static constexpr std::size_t block_tokens = 1024;

  double time_of(std::size_t block) {
    run(block);
    std::vector<double> times;
    for (int i = 0; i < 3; ++i) times.push_back(unlearn_bench::seconds([&] { run(block); }));
    return unlearn_bench::median(times);
  }

  void run(std::size_t block) {
    const auto gradients = as_eigen(View<const float, 2>(data_->gradient, {rows, width}));
    unlearn::for_each_piece(
        unlearn::parallel, vocabulary, block_tokens, [&](std::size_t begin, std::size_t end) {
          Matrix scores;
          for (std::size_t first = begin; first < end; first += block) {
            const std::size_t count = std::min(block, end - first);
            const auto tokens = as_eigen(data_->table().slice(first, count));
            if (block == vocabulary) {
              scores_.middleCols(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(count))
                  .noalias() = gradients * tokens.transpose();
            } else {
              scores.resize(rows, static_cast<Eigen::Index>(count));
              scores.noalias() = gradients * tokens.transpose();
              benchmark::DoNotOptimize(scores.data());
            }
          }
        });
    benchmark::ClobberMemory();
  }

  const Data* data_;
  Matrix scores_;
  std::size_t block_ = vocabulary;
};

/// The reference takes a second for every ten rows. So it checks only the first samples.
void require_same_as_reference(const Data& data) {
  constexpr std::size_t checked = 8;
  const TriggerCandidates fast = data.candidates(unlearn::parallel);
  const TriggerCandidates reference = data.candidates(unlearn::sequential, checked);
  unlearn_bench::require_correct(
      std::ranges::equal(fast.tokens().slice(0, checked).flat(), reference.tokens().flat()) &&
          std::ranges::equal(fast.scores().slice(0, checked).flat(), reference.scores().flat()),
      "candidates of HotFlip");
}

void search_against_product(benchmark::State& state) {
  const Data data;
  require_same_as_reference(data);
  Product product(data);
  const auto find = [&] { benchmark::DoNotOptimize(data.candidates(unlearn::parallel)); };
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(repeats, find, product);
    state.SetIterationTime(times.f_seconds);
    state.counters["scores/s"] = static_cast<double>(rows * vocabulary) / times.f_seconds;
    state.counters["GEMM_GFLOP/s"] = 2e-9 * rows * vocabulary * width / times.g_seconds;
    unlearn_bench::report("hotflip.time_over_gemm", times.ratio);
  }
}

void search_memory(benchmark::State& state) {
  const Data data;
  for (auto iteration : state) {
    const std::size_t bytes = unlearn_bench::extra_bytes(
        [&] { benchmark::DoNotOptimize(data.candidates(unlearn::parallel)); });
    unlearn_bench::report("hotflip.extra_megabytes", static_cast<double>(bytes) / (1U << 20U));
  }
}

void search_on_all_cores(benchmark::State& state) {
  const Data data;
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(
        5, [&] { benchmark::DoNotOptimize(data.candidates(Parallel{.threads = 1})); },
        [&] { benchmark::DoNotOptimize(data.candidates(unlearn::parallel)); });
    state.SetIterationTime(times.g_seconds);
    unlearn_bench::report("hotflip.all_cores_over_one", times.ratio);
  }
}

BENCHMARK(search_memory)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(search_against_product)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(search_on_all_cores)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
