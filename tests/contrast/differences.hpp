// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "unlearn/core/matrix.hpp"

namespace unlearn::testing {

/// ∂f/∂x by central differences, element by element.
template <class Value>
MatrixOf<double> differences(MatrixOf<double> x, double step, const Value& value) {
  MatrixOf<double> gradient(x.rows(), x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    for (Eigen::Index d = 0; d < x.cols(); ++d) {
      const double at = x(i, d);
      x(i, d) = at + step;
      const auto above = value(x);
      const double right = x(i, d);
      x(i, d) = at - step;
      gradient(i, d) = static_cast<double>((above - value(x)) / (right - x(i, d)));
      x(i, d) = at;
    }
  }
  return gradient;
}

inline void expect_relative(double got, long double expected, double tolerance) {
  EXPECT_LE(std::abs(got - expected), tolerance * std::abs(expected)) << got;
}

inline void expect_relative(const MatrixOf<double>& got, const MatrixOf<double>& expected,
                            double tolerance) {
  const double largest = expected.cwiseAbs().maxCoeff();
  EXPECT_GT(largest, 0);
  EXPECT_LE((got - expected).cwiseAbs().maxCoeff(), tolerance * largest) << got << "\n\n"
                                                                         << expected;
}

}  // namespace unlearn::testing
