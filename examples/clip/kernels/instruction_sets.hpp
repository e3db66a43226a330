// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Loops that are compiled for several instruction sets, of which the processor's best is taken
/// when the program starts.

/// Before a function: compiles it, and what is inlined into it, for x86-64 as such, with AVX2 and
/// with AVX-512. Nothing where the compiler does not do that.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define UNLEARN_CLIP_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define UNLEARN_CLIP_CLONES
#endif

/// Before a function that must become part of each of its caller's clones.
#define UNLEARN_CLIP_INLINE __attribute__((always_inline)) inline

#include <cstdint>

namespace unlearn::clip {

/// Whether the processor multiplies bfloat16 by itself, so that a product of them is faster than
/// one of floats.
[[nodiscard]] inline bool multiplies_bfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

/// eˣ within 2 units in the last place, in operations that compilers turn into vectors; 0 below
/// −87.3, and where eˣ is above the largest float, a number near it.
/// Source: Cody and Waite, Software Manual for the Elementary Functions, 1980, for the reduction;
/// the polynomial is Cephes's.
UNLEARN_CLIP_INLINE float exponential(float x) {
  constexpr float lowest = -87.336F;
  constexpr float highest = 88.37F;
  const float bounded = x < lowest ? lowest : (x > highest ? highest : x);
  // Adding 1.5·2²³ rounds to a whole number, which then stands in the last bits.
  constexpr float shift = 12'582'912.0F;
  const float shifted = bounded * 1.44269504F + shift;
  const float whole = shifted - shift;
  const float rest = (bounded - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float sum = 1.9875691500e-4F;
  sum = sum * rest + 1.3981999507e-3F;
  sum = sum * rest + 8.3334519073e-3F;
  sum = sum * rest + 4.1665795894e-2F;
  sum = sum * rest + 1.6666665459e-1F;
  sum = sum * rest + 5.0000001201e-1F;
  sum = sum * rest * rest + rest + 1.0F;
  const auto exponent = static_cast<unsigned>(__builtin_bit_cast(int, shifted) - 0x4B400000 + 127);
  const float power = __builtin_bit_cast(float, exponent << 23U);
  return x < lowest ? 0.0F : sum * power;
}

/// A bfloat16 as the float that it is.
UNLEARN_CLIP_INLINE float from_bfloat16(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16U);
}

/// The nearest bfloat16, ties to the even one; what is no number stays none.
UNLEARN_CLIP_INLINE std::uint16_t to_bfloat16(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  return static_cast<std::uint16_t>(x == x ? rounded : 0x7FC0U);
}

}  // namespace unlearn::clip
