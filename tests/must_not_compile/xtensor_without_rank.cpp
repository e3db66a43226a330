// SPDX-License-Identifier: Apache-2.0
// If the rank of an array is only known at run time, it must be checked at run time.
// expect-error: the rank of an xt::xarray is known at run time only
#include <array>
#include <vector>
#include <xtensor/xadapt.hpp>

#include "unlearn/interop/xtensor.hpp"

double norm_of(unlearn::View<const float, 2> matrix);

double call(const std::vector<float>& numbers, const std::vector<std::size_t>& shape) {
  const auto array = xt::adapt(numbers, shape);
#ifdef UNLEARN_BAD
  return norm_of(array);
#else
  return norm_of(unlearn::view_of_rank<2>(array));
#endif
}
