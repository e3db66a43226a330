// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "summary.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"

namespace unlearn_bench {

/// Copies an array of floats that is far larger than the caches, on all cores. Uses the fastest of
/// three ways, which the constructor finds: memcpy, a loop, and a loop with streaming stores.
///
/// A plain store reads a cache line before it overwrites it. A streaming store does not, so it can
/// move 50 % more data. An update in place cannot save this read.
class Copy {
 public:
  explicit Copy(std::size_t size) : from_(size, 1.0F), to_(size, 0.0F) {
    double best = time_of(way_);
    for (const Way way : {Way::loop, Way::streaming}) {
      const double time = time_of(way);
      if (time < best) way_ = way;
      best = std::min(best, time);
    }
    std::printf("copy by %s: %.1f GB/s\n", names[static_cast<std::size_t>(way_)],
                bytes() / best * 1e-9);
  }

  void operator()() { run(way_); }

  /// Bytes that a copy reads and writes.
  [[nodiscard]] double bytes() const { return 2.0 * sizeof(float) * static_cast<double>(size()); }
  [[nodiscard]] std::size_t size() const { return from_.size(); }

 private:
  enum class Way : std::uint8_t { memcpy, loop, streaming };
  static constexpr std::array names{"memcpy", "a loop", "streaming stores"};

  void run(Way way) {
    unlearn::for_each_piece(
        unlearn::parallel, size(), std::size_t{1} << 16U, [&](std::size_t begin, std::size_t end) {
          const std::span<const float> from = std::span(from_).subspan(begin, end - begin);
          const std::span<float> to = std::span(to_).subspan(begin, end - begin);
          switch (way) {
            case Way::memcpy: std::memcpy(to.data(), from.data(), to.size_bytes()); break;
            case Way::loop: loop(from, to); break;
            case Way::streaming: stream(from, to); break;
          }
        });
  }

  void loop(std::span<const float> from, std::span<float> to) const {
    // It is 1, but the compiler does not know that. So it does not replace the loop by memcpy.
    const float factor = factor_;
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i] * factor;
  }

  void stream(std::span<const float> from, std::span<float> to) const {
#ifdef __SSE2__
    constexpr std::size_t lane = 4;
    std::size_t i = 0;
    const auto aligned = [&] { return reinterpret_cast<std::uintptr_t>(&to[i]) % 16 == 0; };
    for (; i < to.size() && !aligned(); ++i) to[i] = from[i];
    for (; i + lane <= to.size(); i += lane) _mm_stream_ps(&to[i], _mm_loadu_ps(&from[i]));
    for (; i < to.size(); ++i) to[i] = from[i];
    _mm_sfence();
#else
    loop(from, to);
#endif
  }

  double time_of(Way way) {
    run(way);
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) times.push_back(seconds([&] { run(way); }));
    return median(times);
  }

  std::vector<float> from_;
  std::vector<float> to_;
  volatile float factor_ = 1;
  Way way_ = Way::memcpy;
};

/// Reads an array that is far larger than the caches once, on all cores.
class Read {
 public:
  explicit Read(std::size_t size) : numbers_(size, 1) {}

  void operator()() {
    std::atomic<std::uint32_t> total = 0;
    unlearn::for_each_piece(unlearn::parallel, numbers_.size(), std::size_t{1} << 16U,
                            [&](std::size_t begin, std::size_t end) {
                              const auto piece = std::span(numbers_).subspan(begin, end - begin);
                              total +=
                                  std::accumulate(piece.begin(), piece.end(), std::uint32_t{0});
                            });
    require_correct(total == numbers_.size(), "sum of ones");
  }

  [[nodiscard]] double bytes() const {
    return sizeof(std::uint32_t) * static_cast<double>(numbers_.size());
  }

 private:
  std::vector<std::uint32_t> numbers_;
};

}  // namespace unlearn_bench
