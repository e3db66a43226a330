// SPDX-License-Identifier: Apache-2.0
// Doubles are not converted, since that would need a copy.
// expect-error: could not convert|no matching function
#include "unlearn/core/matrix.hpp"

double sum(unlearn::View<const float, 2> matrix);

#ifdef UNLEARN_BAD
double call(const unlearn::MatrixOf<double>& matrix) { return sum(matrix); }
#else
double call(const unlearn::MatrixOf<float>& matrix) { return sum(matrix); }
#endif
