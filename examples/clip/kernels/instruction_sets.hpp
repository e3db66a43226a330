// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Helps to compile a loop for several instruction sets. When the program starts, it picks the best
/// one that the processor has.

/// Write this before a function. The function, and all that is inlined into it, is then compiled
/// three times: for plain x86-64, for AVX2 and for AVX-512. Has no effect where the compiler lacks
/// this feature.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define UNLEARN_CLIP_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define UNLEARN_CLIP_CLONES
#endif

/// Write this before a function that must be inlined into every clone of its caller.
#define UNLEARN_CLIP_INLINE __attribute__((always_inline)) inline

#include <cstdint>

namespace unlearn::clip {

/// Whether the processor has instructions for products of bfloat16, which are then faster than
/// those of floats.
[[nodiscard]] inline bool multiplies_bfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

/// eˣ, in operations that compilers can vectorise.
/// @returns eˣ within 2 units in the last place; 0 for x below −87.3; a number near the
///          largest float if eˣ is larger than that
/// Source: for the reduction of the range, Cody and Waite, Software Manual for the Elementary
/// Functions, 1980. The polynomial is from the Cephes library.
UNLEARN_CLIP_INLINE float exponential(float x) {
  constexpr float lowest = -87.336F;
  constexpr float highest = 88.37F;
  const float bounded = x < lowest ? lowest : (x > highest ? highest : x);
  // Adding 1.5·2²³ rounds to a whole number. That number is then in the lowest bits.
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

/// The float that has the value of a bfloat16.
/// @param bits the bfloat16's bits
UNLEARN_CLIP_INLINE float from_bfloat16(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16U);
}

/// Rounds to the nearest bfloat16; ties go to the even one, and NaN stays NaN.
/// @returns the bfloat16's bits
UNLEARN_CLIP_INLINE std::uint16_t to_bfloat16(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  return static_cast<std::uint16_t>(x == x ? rounded : 0x7FC0U);
}

}  // namespace unlearn::clip
