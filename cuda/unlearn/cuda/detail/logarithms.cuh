// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "unlearn/cuda/detail/host_device.cuh"

/// @file
/// Sums of exponentials by their logarithms, as in unlearn/contrast/log_sum_exp.hpp, a number at a
/// time.

namespace unlearn::cuda::detail {

/// Stands for log 0; finite, so that the difference of two empty sums is 0.
inline constexpr double log_zero = -0x1p1022;

/// log(1 + eˣ).
[[nodiscard]] UNLEARN_HOST_DEVICE inline double softplus(double x) {
  return (x > 0 ? x : 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

/// log(eᵃ + eᵇ).
[[nodiscard]] UNLEARN_HOST_DEVICE inline double log_add_exp(double a, double b) {
  return (a < b ? b : a) + std::log1p(std::exp(-std::fabs(a - b)));
}

}  // namespace unlearn::cuda::detail
