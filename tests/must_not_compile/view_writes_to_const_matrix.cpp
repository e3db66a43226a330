// SPDX-License-Identifier: Apache-2.0
// A function that writes does not accept a const matrix.
// expect-error: could not convert|no matching function
#include "unlearn/core/matrix.hpp"

void clear(unlearn::View<float, 2> matrix);

#ifdef UNLEARN_BAD
void call(const unlearn::Matrix& matrix) { clear(matrix); }
#else
void call(unlearn::Matrix& matrix) { clear(matrix); }
#endif
