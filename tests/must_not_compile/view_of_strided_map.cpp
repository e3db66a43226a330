// SPDX-License-Identifier: Apache-2.0
// A View's elements are contiguous.
// expect-error: this map has an inner stride
#include "unlearn/core/matrix.hpp"

double sum(unlearn::View<const float, 2> matrix);

double call(const float* data) {
#ifdef UNLEARN_BAD
  using Stride = Eigen::InnerStride<2>;
  const Eigen::Map<const unlearn::Matrix, Eigen::Unaligned, Stride> matrix(data, 2, 3);
#else
  const Eigen::Map<const unlearn::Matrix> matrix(data, 2, 3);
#endif
  return sum(matrix);
}
