// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace unlearn::detail {

/// Memory straight from the system, in whole pages, all zero. It is the system's again when this
/// ends its life, whatever the allocator keeps, and leaves no hole among the allocator's blocks.
class Pages {
 public:
  /// @param size in bytes, at least 1
  /// @throws std::bad_alloc when the system has no such memory
  explicit Pages(std::size_t size) {
    void* const address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) throw std::bad_alloc();
    bytes_ = {static_cast<std::byte*>(address), size};
  }

  Pages(Pages&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  }

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

/// Rows of equal length, in pages of their own: room for more moves nothing, and what is dropped is
/// out of this process's memory.
template <class T>
class PagedRows {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  /// @param elements numbers in a row
  explicit PagedRows(std::size_t elements)
      : elements_(elements),
        rows_per_block_(std::max<std::size_t>(
            1, block_bytes / std::max<std::size_t>(1, elements * sizeof(T)))) {}

  /// Makes room for rows 0 to `rows` - 1. A new row is zero.
  /// @throws std::bad_alloc when the system has no memory for them; the rows that are there stay
  void reserve(std::size_t rows) {
    if (elements_ == 0) return;
    while (blocks_.size() * rows_per_block_ < rows) {
      blocks_.emplace_back(rows_per_block_ * elements_ * sizeof(T));
    }
  }

  /// Drops all rows.
  void clear() { blocks_.clear(); }

  /// @param index of a row that there is room for
  [[nodiscard]] std::span<T> row(std::size_t index) {
    return {block(index / rows_per_block_) + (index % rows_per_block_) * elements_, elements_};
  }
  [[nodiscard]] std::span<const T> row(std::size_t index) const {
    return {block(index / rows_per_block_) + (index % rows_per_block_) * elements_, elements_};
  }

 private:
  /// Large enough that asking the system costs nothing beside filling it.
  static constexpr std::size_t block_bytes = std::size_t{1} << 20U;

  [[nodiscard]] T* block(std::size_t index) const {
    if (elements_ == 0) return nullptr;
    return reinterpret_cast<T*>(blocks_[index].bytes().data());  // NOLINT(*-reinterpret-cast)
  }

  std::size_t elements_;
  std::size_t rows_per_block_;
  std::vector<Pages> blocks_;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
