// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn {

// The standard specifies the output of its engines, but not that of its distributions and of
// std::shuffle. The functions below give the same result with every standard library.

/// 64 independent, uniformly distributed bits from any uniform random bit generator.
///
/// A generator whose range is not a whole number of bits does not compile.
/// @param rng drawn from as often as it takes: twice for a generator of 32 bits
template <std::uniform_random_bit_generator Rng>
[[nodiscard]] std::uint64_t random_bits(Rng& rng) {
  constexpr auto span = static_cast<std::uint64_t>(Rng::max() - Rng::min());
  static_assert((span & (span + 1)) == 0,
                "unlearn needs a generator whose range is a whole number of bits, "
                "such as std::mt19937 or std::mt19937_64");
  constexpr int width = std::bit_width(span);
  std::uint64_t bits = 0;
  for (int have = 0; have < 64; have += width) {
    const auto drawn = static_cast<std::uint64_t>(rng() - Rng::min());
    if constexpr (width == 64) {
      bits = drawn;
    } else {
      bits = (bits << width) | drawn;
    }
  }
  return bits;
}

/// A uniformly distributed integer in [0, bound), without modulo bias.
///
/// 64-bit draws below 2^64 mod bound are rejected: fewer than half of all draws.
/// @throws InvalidArgument when `bound` is 0, or when 256 draws in a row are rejected. A generator
///         that works does so with a probability below 2^-256; one that always returns the same
///         number may do so for ever.
template <std::uniform_random_bit_generator Rng>
[[nodiscard]] std::size_t uniform_below(std::size_t bound, Rng& rng) {
  require(bound > 0, "bound of a random draw", "at least 1", bound);
  const std::uint64_t rejected = (0 - static_cast<std::uint64_t>(bound)) % bound;
  std::uint64_t bits = random_bits(rng);
  for (int draws = 1; bits < rejected; ++draws) {
    require(draws < 256, "random generator",
            "one whose draws vary, such as a seeded std::mt19937_64",
            "256 unusable draws in a row");
    bits = random_bits(rng);
  }
  return static_cast<std::size_t>(bits % bound);
}

/// Puts `items` into a uniformly distributed random order. Source: the Fisher-Yates shuffle.
template <class T, std::uniform_random_bit_generator Rng>
void shuffle(std::span<T> items, Rng& rng) {
  for (std::size_t i = items.size(); i > 1; --i) {
    using std::swap;
    swap(items[i - 1], items[uniform_below(i, rng)]);
  }
}

/// A small random generator that expands one 64-bit seed.
///
/// Use it for an order that is drawn again from a stored seed, not for a whole run.
/// Source: SplitMix64; Steele, Lea, Flood, OOPSLA 2014.
class SplitMix64 {
 public:
  /// Each draw gives 64 bits.
  using result_type = std::uint64_t;
  /// Starts the sequence of `seed`.
  explicit constexpr SplitMix64(std::uint64_t seed) : state_(seed) {}
  /// The smallest number that can be drawn.
  static constexpr result_type min() { return 0; }
  /// The largest number that can be drawn.
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  /// The next number of the sequence.
  constexpr result_type operator()() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
