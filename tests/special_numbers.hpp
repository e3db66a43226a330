// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/finite.hpp"

namespace unlearn::testing {

// Not constants: with -ffast-math, the compiler may replace a constant NaN by anything.
template <class T>
inline const T nan_of = not_a_number<T>();
template <class T>
inline const T infinity_of = positive_infinity<T>();

inline const double nan = not_a_number<double>();
inline const double infinity = positive_infinity<double>();

inline const float nan_f = not_a_number<float>();
inline const float infinity_f = positive_infinity<float>();

/// Whether the program is compiled with -ffast-math. Sums then depend on the loop around them,
/// subnormal numbers are 0, and comparisons with NaN have any result.
#ifdef __FAST_MATH__
inline constexpr bool fast_math = true;
#else
inline constexpr bool fast_math = false;
#endif

/// How far the sums of the same numbers in two loops may lie apart, relatively.
inline constexpr double between_loops = fast_math ? 1e-12 : 0;

}  // namespace unlearn::testing
