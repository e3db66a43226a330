// SPDX-License-Identifier: Apache-2.0
// A column-major matrix would be read as its transpose.
// expect-error: this matrix is column-major
#include "unlearn/core/matrix.hpp"

double sum(unlearn::View<const float, 2> matrix);

double call() {
#ifdef UNLEARN_BAD
  const Eigen::MatrixXf matrix(2, 3);
#else
  const unlearn::Matrix matrix(2, 3);
#endif
  return sum(matrix);
}
