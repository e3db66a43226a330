// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

namespace unlearn::testing {

template <class T>
inline constexpr T nan_of = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr T infinity_of = std::numeric_limits<T>::infinity();

inline constexpr double nan = nan_of<double>;
inline constexpr double infinity = infinity_of<double>;

inline constexpr float nan_f = nan_of<float>;
inline constexpr float infinity_f = infinity_of<float>;

}  // namespace unlearn::testing
