// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace unlearn {

// Numbers go to files with the bytes that they have in memory, which the formats define as
// little-endian.
static_assert(std::endian::native == std::endian::little, "unlearn's files are little-endian");

/// A 64-bit checksum of a sequence of bytes: FNV-1a on words of eight bytes, with a shift.
///
/// h ← (h ⊕ w)·p, then h ← h ⊕ (h >> 32), for the words w_1..w_n (the last one filled up with
/// zeros) and then for the number of bytes. Each step is a bijection of h for a given w, and of w
/// for a given h, so a change inside a single word always changes the value. The checksum detects
/// accidents, not forgeries. The value does not depend on how the bytes are cut into pieces.
/// Source: FNV-1a, G. Fowler, L. C. Noll, K.-P. Vo; the words and the shift are changes to it.
class Checksum {
 public:
  /// Appends bytes to the sequence.
  void update(std::span<const std::byte> bytes) {
    while (!bytes.empty() && size_ % word_size != 0) {
      add_byte(bytes.front());
      bytes = bytes.subspan(1);
    }
    for (; bytes.size() >= word_size; bytes = bytes.subspan(word_size)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), word_size);
      mix(word);
      size_ += word_size;
    }
    for (const std::byte byte : bytes) add_byte(byte);
  }

  /// The checksum of the sequence so far. More bytes may follow.
  [[nodiscard]] std::uint64_t value() const {
    Checksum finished = *this;
    finished.mix(partial_);
    finished.mix(size_);
    return finished.hash_;
  }

 private:
  static constexpr std::size_t word_size = sizeof(std::uint64_t);

  void add_byte(std::byte byte) {
    partial_ |= std::to_integer<std::uint64_t>(byte) << (8 * (size_ % word_size));
    if (++size_ % word_size == 0) mix(std::exchange(partial_, 0));
  }

  void mix(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15U;
    hash_ ^= hash_ >> 32U;
  }

  std::uint64_t hash_ = 0xCBF29CE484222325U;
  std::uint64_t partial_ = 0;
  std::uint64_t size_ = 0;
};

/// The Checksum of `bytes`.
[[nodiscard]] inline std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  Checksum checksum;
  checksum.update(bytes);
  return checksum.value();
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
