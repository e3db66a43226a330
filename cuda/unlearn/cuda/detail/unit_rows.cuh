// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>

#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/launch.cuh"

namespace unlearn::cuda::detail {

inline constexpr double smallest_norm = 1e-12;

/// x̂ = x / max(‖x‖, 1e-12) in double, a row each group.
template <class T>
struct NormaliseRow {
  const T* rows;
  std::size_t columns;
  double* unit;
  double* norms;

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t row) const {
    const T* const x = rows + row * columns;
    double largest = 0;
    for (std::size_t d = team.rank(); d < columns; d += team.size()) {
      const double magnitude = std::fabs(static_cast<double>(x[d]));
      largest = largest < magnitude ? magnitude : largest;
    }
    largest = team.max(largest);
    // Scaled, as the squares of large doubles would overflow.
    const double scale = largest > 0 ? largest : 1.0;
    double squares = 0;
    for (std::size_t d = team.rank(); d < columns; d += team.size()) {
      const double scaled = static_cast<double>(x[d]) / scale;
      squares += scaled * scaled;
    }
    const double length = scale * std::sqrt(team.sum(squares));
    const double norm = length < smallest_norm ? smallest_norm : length;
    for (std::size_t d = team.rank(); d < columns; d += team.size()) {
      unit[row * columns + d] = static_cast<double>(x[d]) / norm;
    }
    if (team.rank() == 0) norms[row] = norm;
  }
};

/// @param unit  [rows, columns]
/// @param norms [rows]
template <class P, class A, class T>
void normalise_rows(const Queue<P, A>& queue, View<const T, 2> rows, double* unit, double* norms) {
  for_each_group(queue, rows.extent(0),
                 NormaliseRow<T>{
                     .rows = rows.data(), .columns = rows.extent(1), .unit = unit, .norms = norms});
}

/// ∂L/∂x = (g − x̂ x̂ᵀg) / ‖x‖ from g = ∂L/∂x̂, and g / 1e-12 below the floor, where x̂ is linear.
template <class T>
struct PullBackRow {
  const double* unit_gradient;
  const double* unit;
  const double* norms;
  std::size_t columns;
  T* gradient;

  UNLEARN_EXEC_CHECK_DISABLE
  template <class Team>
  UNLEARN_HOST_DEVICE void operator()(Team& team, std::size_t row) const {
    const double* const g = unit_gradient + row * columns;
    const double* const x = unit + row * columns;
    double radial = 0;
    for (std::size_t d = team.rank(); d < columns; d += team.size()) radial += g[d] * x[d];
    radial = team.sum(radial);
    const double removed = norms[row] > smallest_norm ? radial : 0.0;
    for (std::size_t d = team.rank(); d < columns; d += team.size()) {
      gradient[row * columns + d] = static_cast<T>((g[d] - removed * x[d]) / norms[row]);
    }
  }
};

}  // namespace unlearn::cuda::detail
