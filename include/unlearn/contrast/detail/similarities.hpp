// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include <limits>

#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"

namespace unlearn::detail {

/// S = exp(s) · âᵀ b̂ of rows of unit length. All of it is NaN when the scale is not finite: from a
/// mixture of +∞ and −∞ a loss could come out as 0.
///
/// A template, so that a program compiles Eigen's products only where it calls them.
template <class T>
[[nodiscard]] Eigen::MatrixX<T> similarities_of(double logit_scale, const MatrixOf<T>& a,
                                                const MatrixOf<T>& b) {
  const double scale =
      is_finite(logit_scale) ? logit_scale : std::numeric_limits<double>::quiet_NaN();
  return scale * a * b.transpose();
}

}  // namespace unlearn::detail
