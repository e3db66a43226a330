// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "closed_allocator.hpp"
#include "late_copy_lane.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/host_backend.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn::testing {

/// While it lives, the host may touch the memory of a ClosedBackend.
class OpenMemory {
 public:
  OpenMemory() { ClosedAllocator::open_to_host(); }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
  ~OpenMemory() { ClosedAllocator::close_to_host(); }
};

/// Numbers in memory that is closed to the host.
template <class T>
class ClosedArray {
 public:
  ClosedArray() = default;
  explicit ClosedArray(std::size_t count) { reserve(count); }
  ClosedArray(ClosedArray&& other) noexcept
      : numbers_(std::exchange(other.numbers_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  ClosedArray(const ClosedArray&) = delete;
  ClosedArray& operator=(const ClosedArray&) = delete;
  ClosedArray& operator=(ClosedArray&&) = delete;
  ~ClosedArray() { release(); }

  bool reserve(std::size_t count) {
    if (count <= count_) return false;
    release();
    count_ = count;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): raw memory becomes numbers
    numbers_ = reinterpret_cast<T*>(ClosedAllocator::allocate(count * sizeof(T)));
    return true;
  }
  [[nodiscard]] T* data() const { return numbers_; }

 private:
  void release() {
    if (count_ == 0) return;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    ClosedAllocator::deallocate(reinterpret_cast<unsigned char*>(numbers_), count_ * sizeof(T));
    count_ = 0;
  }

  T* numbers_ = nullptr;
  std::size_t count_ = 0;
};

/// A ClosedArray that counts how often it gets memory.
template <class T>
class CountedArray : public ClosedArray<T> {
 public:
  explicit CountedArray(std::size_t& count) : allocations_(&count) {}
  bool reserve(std::size_t count) {
    const bool grows = ClosedArray<T>::reserve(count);
    if (grows) ++*allocations_;
    return grows;
  }

 private:
  std::size_t* allocations_;
};

/// The least that is a Backend, a NoiseBackend, a StreamingBackend and a RankingBackend: the host
/// works for it, in memory that is closed at all other times.
struct ClosedBackend {
  static constexpr MemorySpace memory = MemorySpace::device;

  std::size_t* allocations;  ///< of what buffer() returned

  // Backend.
  template <class T>
  [[nodiscard]] ClosedArray<T> scratch(std::size_t count) const {
    return ClosedArray<T>(count);
  }
  template <class T>
  void copy(const T* from, std::size_t count, T* to) const {
    const OpenMemory open;
    HostBackend::copy(from, count, to);
  }
  template <class T>
  void copy_in(const T* host, std::size_t count, T* to) const {
    copy(host, count, to);
  }
  template <class T>
  void copy_out(const T* from, std::size_t count, T* host) const {
    copy(from, count, host);
  }
  template <class T>
  void fill(T value, std::size_t count, T* to) const {
    const OpenMemory open;
    HostBackend::fill(value, count, to);
  }
  template <class T>
  [[nodiscard]] bool all_finite(const T* numbers, std::size_t count) const {
    const OpenMemory open;
    return HostBackend::all_finite(numbers, count);
  }
  template <class T>
  void gather_rows(View<const T, 2> from, View<const Index, 1> indices, View<T, 2> to) const {
    const OpenMemory open;
    HostBackend::gather_rows(from, indices, to);
  }
  void sum_rows(View<const float, 2> rows, View<const Index, 1> members, View<const Index, 1> first,
                View<float, 2> sums) const {
    const OpenMemory open;
    HostBackend::sum_rows(rows, members, first, sums);
  }

  // NoiseBackend.
  template <class Set>
  void project(const Set& set, View<typename Set::value_type, 2> noise) const {
    const OpenMemory open;
    set.project(sequential, noise);
  }
  void sign_step(const auto& set, auto noise, auto grad, auto step) const {
    const OpenMemory open;
    // A PixelGridSet's step is in levels here, and in the signal's units there.
    const double unit = std::is_integral_v<decltype(step)> ? 1.0 / 255 : 1.0;
    set.sign_step(sequential, noise, grad, static_cast<double>(step) * unit);
  }

  // RankingBackend.
  void rank_tokens(View<const float, 2> gradients, View<const float, 2> embeddings,
                   const TokenFilter& filter, View<Token, 2> tokens, View<float, 2> scores) const {
    const OpenMemory open;
    const HotFlipCandidateSearch search{.candidates = tokens.extent(1), .spares = 0};
    const auto found = search(
        parallel,
        View<const float, 3>(gradients.data(), {gradients.extent(0), 1, gradients.extent(1)}),
        embeddings, filter);
    std::ranges::copy(found.tokens().flat(), tokens.flat().begin());
    std::ranges::copy(found.scores().flat(), scores.flat().begin());
  }

  // StreamingBackend.
  template <class T>
  [[nodiscard]] CountedArray<T> buffer() const {
    return CountedArray<T>(*allocations);
  }
  template <class T>
  [[nodiscard]] static auto host_array() {
    struct HostArray {
      std::vector<T> numbers{};
      void reserve(std::size_t count) {
        if (count > numbers.size()) numbers.resize(count);
      }
      [[nodiscard]] T* data() { return numbers.data(); }
    };
    return HostArray();
  }
  [[nodiscard]] static LateCopyLane<OpenMemory> copy_lane() { return {}; }
  template <class T>
  void scatter_rows(View<const T, 2> from, View<const Index, 1> indices, View<T, 2> to) const {
    const OpenMemory open;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(from.row(i), to.row(indices[i]).begin());
    }
  }
  static void wait() {}
  [[nodiscard]] static std::size_t free_bytes() { return std::numeric_limits<std::size_t>::max(); }
};

}  // namespace unlearn::testing
