// SPDX-License-Identifier: Apache-2.0
// A column-major tensor would be read as its transpose.
// expect-error: this xtensor container is column-major
#include <xtensor/xtensor.hpp>

#include "unlearn/interop/xtensor.hpp"

double norm_of(unlearn::View<const float, 2> matrix);

#ifdef UNLEARN_BAD
double call(const xt::xtensor<float, 2, xt::layout_type::column_major>& matrix) {
#else
double call(const xt::xtensor<float, 2>& matrix) {
#endif
  return norm_of(matrix);
}
