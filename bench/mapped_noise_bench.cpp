// SPDX-License-Identifier: Apache-2.0
// Compares storing noise in a memory-mapped file, batch by batch as in a noise pass, to a plain
// copy of the same bytes. Both use one thread.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "summary.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"

namespace {

using unlearn::Index;
using unlearn::View;

constexpr std::size_t groups = 4096;
constexpr std::size_t elements = std::size_t{3} * 224 * 224;
constexpr std::size_t batch = 128;
constexpr std::size_t bytes = groups * elements;  // 617 MB
constexpr int repeats = 5;

/// A file of noise in the current directory, which is removed at the end.
class NoiseFile {
 public:
  NoiseFile() { std::filesystem::remove(path_); }
  ~NoiseFile() { std::filesystem::remove(path_); }
  NoiseFile(const NoiseFile&) = delete;
  NoiseFile& operator=(const NoiseFile&) = delete;

  [[nodiscard]] unlearn::MappedNoiseStore<> create() const {
    return unlearn::MappedNoiseStore<>::create(path_, groups, elements);
  }

 private:
  std::string path_ = (std::filesystem::current_path() / "mapped_noise_bench.npy").string();
};

/// The groups in the random order of a pass, and the noise of one batch.
struct Pass {
  Pass() {
    unlearn::SplitMix64 rng(1);
    std::iota(order.begin(), order.end(), Index{0});
    unlearn::shuffle(std::span(order), rng);
    std::ranges::generate(
        noise, [&] { return static_cast<std::int8_t>(unlearn::uniform_below(17, rng)) - 8; });
  }

  template <class F>
  void each_batch(F f) const {
    for (std::size_t first = 0; first < groups; first += batch) {
      f(std::span(order).subspan(first, batch));
    }
  }

  std::vector<Index> order = std::vector<Index>(groups);
  std::vector<std::int8_t> noise = std::vector<std::int8_t>(batch * elements);
};

void store_against_copy(benchmark::State& state) {
  const NoiseFile file;
  unlearn::MappedNoiseStore<> mapped = file.create();
  Pass pass;
  std::vector<std::int8_t> plain(bytes);
  const View<std::int8_t, 2> rows(pass.noise, {batch, elements});
  const auto store = [&] {
    pass.each_batch([&](std::span<const Index> some) { mapped.store(some, rows); });
  };
  const auto copy = [&] {
    pass.each_batch([&](std::span<const Index> some) {
      for (std::size_t i = 0; i < some.size(); ++i) {
        std::memcpy(plain.data() + some[i] * elements, rows.row(i).data(), elements);
      }
    });
  };
  store();
  std::vector<std::int8_t> loaded(batch * elements);
  pass.each_batch([&](std::span<const Index> some) {
    mapped.load(some, View<std::int8_t, 2>(loaded, {batch, elements}));
    unlearn_bench::require_correct(loaded == pass.noise, "noise from the file");
  });

  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(repeats, store, copy);
    state.SetIterationTime(times.f_seconds);
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.counters["copy_GB/s"] = bytes / times.g_seconds * 1e-9;
    unlearn_bench::report("mapped_noise.store_fraction_of_copy", 1 / times.ratio);
  }
}

BENCHMARK(store_against_copy)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
