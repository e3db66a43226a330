// SPDX-License-Identifier: Apache-2.0
// A matrix is not a batch of images.
// expect-error: could not convert|no matching function
#include "unlearn/core/matrix.hpp"

double sum(unlearn::View<const float, 3> batch);

double call(const unlearn::Matrix& matrix) {
#ifdef UNLEARN_BAD
  return sum(matrix);
#else
  return sum(unlearn::View<const float, 3>(matrix.data(), {2, 3, 4}));
#endif
}
