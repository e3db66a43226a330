// SPDX-License-Identifier: Apache-2.0
// A read-only view does not convert to a writable one.
// expect-error: could not convert|no matching function
#include "unlearn/core/tensor_view.hpp"

void clear(unlearn::View<float, 2> matrix);

#ifdef UNLEARN_BAD
void call(unlearn::View<const float, 2> matrix) { clear(matrix); }
#else
void call(unlearn::View<float, 2> matrix) { clear(matrix); }
#endif
