// SPDX-License-Identifier: Apache-2.0
// Compares retrieval at COCO's size, 5,000 images and 25,000 captions, to the matrix product in
// double that computes all similarities.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "summary.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace {

using unlearn::as_eigen;
using unlearn::MatrixOf;
using unlearn::View;

constexpr std::size_t captions_per_signal = 5;
constexpr std::size_t signals = 5000;
constexpr std::size_t texts = signals * captions_per_signal;
constexpr std::size_t width = 256;
constexpr int repeats = 5;
constexpr unlearn::RetrievalOptions options{.captions_per_signal = captions_per_signal};

std::vector<float> drawn(std::uint64_t seed, std::size_t count) {
  unlearn::SplitMix64 rng(seed);
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    number = static_cast<float>(static_cast<int>(unlearn::uniform_below(255, rng)) - 127);
  }
  return numbers;
}

/// Captions that are slightly similar to their signals.
struct Data {
  explicit Data(std::size_t count)
      : of_signals(drawn(1, count * width)),
        of_texts(drawn(2, count * captions_per_signal * width)) {
    for (std::size_t j = 0; j < of_texts.size(); ++j) {
      const std::size_t signal = j / width / captions_per_signal;
      of_texts[j] += 0.15F * of_signals[signal * width + j % width];
    }
  }

  [[nodiscard]] View<const float, 2> signal_rows() const {
    return {of_signals.data(), {of_signals.size() / width, width}};
  }
  [[nodiscard]] View<const float, 2> text_rows() const {
    return {of_texts.data(), {of_texts.size() / width, width}};
  }
  [[nodiscard]] unlearn::Retrieval measured() const {
    return unlearn::retrieval(unlearn::parallel, signal_rows(), text_rows(), options);
  }

  std::vector<float> of_signals;
  std::vector<float> of_texts;
};

/// 1 + the number of `others` above `own`. These data have no ties.
std::size_t rank_of(double own, const auto& others) {
  return 1 + static_cast<std::size_t>((others.array() > own).count());
}

unlearn::RetrievalScore score_of(std::vector<std::size_t> ranks) {
  const auto hits = std::ranges::count_if(ranks, [](std::size_t rank) { return rank <= 10; });
  std::ranges::sort(ranks);
  const std::size_t size = ranks.size();
  return {.hit_at_k = 100.0 * static_cast<double>(hits) / static_cast<double>(size),
          .median_rank = (ranks[(size - 1) / 2] + ranks[size / 2]) / 2};
}

bool same(const unlearn::RetrievalScore& a, const unlearn::RetrievalScore& b) {
  return std::abs(a.hit_at_k - b.hit_at_k) < 1e-6 && a.median_rank == b.median_rank;
}

/// The definition: a matrix of all similarities, and a rank for each row and column.
void require_correct() {
  const Data data(300);
  MatrixOf<double> a = as_eigen(data.signal_rows()).cast<double>();
  MatrixOf<double> b = as_eigen(data.text_rows()).cast<double>();
  a.rowwise().normalize();
  b.rowwise().normalize();
  const MatrixOf<double> scores = a * b.transpose();
  std::vector<std::size_t> of_signals;
  std::vector<std::size_t> of_texts;
  for (Eigen::Index i = 0; i < scores.rows(); ++i) {
    const auto own = scores.row(i).segment(5 * i, 5);
    of_signals.push_back(rank_of(own.maxCoeff(), scores.row(i)));
    for (Eigen::Index j = 5 * i; j < 5 * i + 5; ++j) {
      of_texts.push_back(rank_of(scores(i, j), scores.col(j)));
    }
  }
  const unlearn::Retrieval found = data.measured();
  unlearn_bench::require_correct(same(found.signal_to_text, score_of(of_signals)) &&
                                     same(found.text_to_signal, score_of(of_texts)),
                                 "retrieval");
}

/// Computes only the scores, on the same threads, in tiles of the same size.
void product(const MatrixOf<double>& a, const MatrixOf<double>& b) {
  constexpr Eigen::Index tile = 256;
  unlearn::for_each_piece(
      unlearn::parallel, signals, tile, [&](std::size_t begin, std::size_t end) {
        const auto last = static_cast<Eigen::Index>(end);
        MatrixOf<double> scores;
        for (auto i = static_cast<Eigen::Index>(begin); i < last; i += tile) {
          const auto queries = a.middleRows(i, std::min(tile, last - i));
          for (Eigen::Index j = 0; j < b.rows(); j += tile) {
            const auto candidates = b.middleRows(j, std::min(tile, b.rows() - j));
            scores.noalias() = queries * candidates.transpose();
            benchmark::DoNotOptimize(scores.data());
          }
        }
      });
}

void retrieval_against_product(benchmark::State& state) {
  require_correct();
  const Data data(signals);
  const MatrixOf<double> a = as_eigen(data.signal_rows()).cast<double>();
  const MatrixOf<double> b = as_eigen(data.text_rows()).cast<double>();
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(
        repeats, [&] { benchmark::DoNotOptimize(data.measured()); }, [&] { product(a, b); });
    state.SetIterationTime(times.f_seconds);
    state.counters["scores/s"] = static_cast<double>(signals * texts) / times.f_seconds;
    unlearn_bench::report("retrieval.time_over_gemm", times.ratio);
    unlearn_bench::report("retrieval.seconds_for_5000x25000", times.f_seconds);
  }
}

BENCHMARK(retrieval_against_product)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
