// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrust/detail/raw_pointer_cast.h>

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn::cuda {

/// Device memory that belongs to one object for as long as that lives, where an Arena lends it for
/// the length of a call.
///
/// @tparam T trivially copyable
/// @tparam Allocator of bytes in the device's memory; its pointers pass thrust::raw_pointer_cast
template <class T, class Allocator>
class Buffer {
 public:
  /// No memory.
  explicit Buffer(Allocator allocator) : allocator_(std::move(allocator)) {}
  Buffer(Buffer&& other) noexcept
      : allocator_(std::move(other.allocator_)),
        memory_(std::exchange(other.memory_, Pointer{})),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { release(); }

  /// Makes room for `count` numbers, if there is less. What was there is lost then.
  /// @returns whether there was less
  /// @throws InvalidArgument when that is more than memory can be addressed for; what the allocator
  ///         throws
  bool reserve(std::size_t count) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
    unlearn::require(count <= limit, "numbers in memory of a device",
                     "at most " + std::to_string(limit), count);
    const std::size_t bytes = count * sizeof(T);
    if (bytes <= bytes_) return false;
    release();
    memory_ = allocator_.allocate(bytes);
    bytes_ = bytes;
    return true;
  }

  /// The first number, in the device's memory.
  [[nodiscard]] T* data() const {
    if (bytes_ == 0) return nullptr;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): raw memory becomes numbers
    return reinterpret_cast<T*>(thrust::raw_pointer_cast(memory_));
  }

 private:
  using Pointer = decltype(std::declval<Allocator&>().allocate(1));

  void release() {
    if (bytes_ > 0) allocator_.deallocate(memory_, bytes_);
    memory_ = Pointer{};
    bytes_ = 0;
  }

  Allocator allocator_;
  Pointer memory_{};
  std::size_t bytes_ = 0;
};

}  // namespace unlearn::cuda
