// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrust/detail/raw_pointer_cast.h>
#include <thrust/device_allocator.h>
#include <thrust/device_malloc_allocator.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn::cuda {

/// Device memory that calls borrow and give back in the opposite order, so that a call that was
/// made once allocates nothing when it is made again.
///
/// It grows by blocks, and frees them when it is destroyed. The next call may borrow what the last
/// one gave back while the device still works for the last one: an arena belongs to one stream.
///
/// @tparam Allocator of bytes in the device's memory; its pointers pass thrust::raw_pointer_cast.
///                   May have open_to_host(): see HostAccess.
template <class Allocator = thrust::device_malloc_allocator<unsigned char>>
class Arena {
 public:
  /// Borrowed memory is aligned to this many bytes where the allocator's blocks are, as
  /// cudaMalloc's.
  static constexpr std::size_t alignment = 256;

  /// @param allocator copied
  explicit Arena(Allocator allocator = {}) : allocator_(std::move(allocator)) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (const Block& block : blocks_) allocator_.deallocate(block.memory, block.size);
  }

  /// @returns a copy of the allocator, for memory that lasts.
  [[nodiscard]] Allocator allocator() const { return allocator_; }

  /// How much is borrowed: rewind() gives back what is borrowed later.
  struct Mark {
    std::size_t block;
    std::size_t used;
  };

  [[nodiscard]] Mark mark() const { return mark_; }
  /// Gives back everything that was borrowed since `mark`.
  void rewind(Mark mark) { mark_ = mark; }

  /// @returns room for `count` numbers, until `rewind`.
  /// @throws InvalidArgument when that is more than memory can be addressed for; what the allocator
  ///         throws
  template <class T>
  [[nodiscard]] T* borrow(std::size_t count) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max() / 2 / sizeof(T);
    unlearn::require(count <= limit, "numbers to borrow memory for",
                     "at most " + std::to_string(limit), count);
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    Mark at = mark_;
    while (at.block < blocks_.size() && blocks_[at.block].size - at.used < bytes) {
      at = {.block = at.block + 1, .used = 0};
    }
    if (at.block == blocks_.size()) add_block(bytes);
    unsigned char* const begin = thrust::raw_pointer_cast(blocks_[at.block].memory);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): raw memory becomes numbers
    T* const numbers = reinterpret_cast<T*>(begin + at.used);
    mark_ = {.block = at.block, .used = at.used + bytes};
    return numbers;
  }

 private:
  /// A block of at least `bytes`: twice the last one, so that there are few, if there is room for
  /// it.
  void add_block(std::size_t bytes) {
    blocks_.reserve(blocks_.size() + 1);
    const auto add = [&](std::size_t size) {
      blocks_.push_back({.memory = allocator_.allocate(size), .size = size});
    };
    const std::size_t wanted =
        std::max(bytes, blocks_.empty() ? smallest_block : 2 * blocks_.back().size);
    try {
      add(wanted);
    } catch (...) {
      if (wanted == bytes) throw;
      add(bytes);
    }
  }

  static constexpr std::size_t smallest_block = std::size_t{1} << 20U;

  struct Block {
    decltype(std::declval<Allocator&>().allocate(1)) memory;
    std::size_t size;
  };

  Allocator allocator_;
  std::vector<Block> blocks_;
  Mark mark_{.block = 0, .used = 0};
};

/// Borrowed memory that goes back when it leaves its scope.
template <class T, class ArenaT>
class Scratch {
 public:
  Scratch(ArenaT& arena, std::size_t count)
      : arena_(&arena), mark_(arena.mark()), data_(arena.template borrow<T>(count)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { arena_->rewind(mark_); }

  /// The first number, in the device's memory.
  [[nodiscard]] T* data() const { return data_; }

 private:
  ArenaT* arena_;
  typename ArenaT::Mark mark_;
  T* data_;
};

}  // namespace unlearn::cuda
