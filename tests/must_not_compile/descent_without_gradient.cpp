// SPDX-License-Identifier: Apache-2.0
// expect-error: PointObjective
#include <span>

#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

void descend(std::span<double> x) {
#ifdef UNLEARN_BAD
  const auto loss = [](std::span<const double> at) { return at[0]; };
#else
  const auto loss = [](std::span<const double> at, std::span<double> grad) {
    grad[0] = 1;
    return at[0];
  };
#endif
  unlearn::ProjectedSignDescent{}.optimize(loss, x, unlearn::LinfBall{.radius = 1});
}
