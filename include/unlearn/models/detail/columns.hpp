// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>

#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

/// @file
/// Matrices side by side: the columns of several models in one matrix.

namespace unlearn::detail {

/// A copy of the `width` columns of `from` from `first` on.
[[nodiscard]] inline Matrix columns_of(View<const float, 2> from, std::size_t first,
                                       std::size_t width) {
  Matrix columns(static_cast<Eigen::Index>(from.extent(0)), static_cast<Eigen::Index>(width));
  const View<float, 2> to(columns);
  for (std::size_t r = 0; r < from.extent(0); ++r) {
    std::ranges::copy(from.row(r).subspan(first, width), to.row(r).begin());
  }
  return columns;
}

/// Writes factor · `from` to the columns of `to` from `first` on.
inline void set_columns(View<float, 2> to, std::size_t first, View<const float, 2> from,
                        float factor) {
  for (std::size_t r = 0; r < from.extent(0); ++r) {
    std::ranges::transform(from.row(r), to.row(r).subspan(first).begin(),
                           [factor](float number) { return factor * number; });
  }
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
