// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

namespace unlearn::testing {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

inline constexpr float nan_f = std::numeric_limits<float>::quiet_NaN();
inline constexpr float infinity_f = std::numeric_limits<float>::infinity();

}  // namespace unlearn::testing
