// SPDX-License-Identifier: Apache-2.0
// expect-error: the pixel lattice needs an LinfBall with one radius for all channels
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/pixel_grid.hpp"

unlearn::PixelGrid lattice() {
#ifdef UNLEARN_BAD
  const unlearn::L2Ball ball{.radius = 8.0 / 255};
#else
  const unlearn::LinfBall ball{.radius = 8.0 / 255};
#endif
  return unlearn::PixelGrid::from(1.0 / 255, ball);
}
