// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <type_traits>

#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"

namespace unlearn {

/// Balls of one kind, with a radius for each row of a batch; a RowwiseBall.
///
///     BallAndBoxSet{.ball = BallPerRow<L2Ball>{.radii = radii}, .clean = clean}
///
/// @tparam BallT LinfBall<double>, L2Ball or another ball with a `radius`
template <class BallT>
struct BallPerRow {
  std::span<const double> radii;  ///< [rows]; not copied, must outlive the ball

  /// The ball of one row.
  [[nodiscard]] BallT at_row(std::size_t row) const { return {.radius = radii[row]}; }

  /// @throws InvalidArgument when there is not one radius for each row, or one of the balls is
  ///         invalid: its radius is negative or NaN.
  void validate(std::size_t rows, std::size_t elements) const {
    require_size("radii of a ball per row", rows, radii.size());
    for (std::size_t row = 0; row < rows; ++row) detail::validate(at_row(row), elements);
  }
};

static_assert(std::is_trivially_copyable_v<BallPerRow<L2Ball>>);
static_assert(RowwiseBall<BallPerRow<LinfBall<>>, float>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
