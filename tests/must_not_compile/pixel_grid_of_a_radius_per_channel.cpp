// SPDX-License-Identifier: Apache-2.0
// expect-error: the pixel lattice needs an LinfBall with one radius for all channels
#include <array>

#include "unlearn/noise/pixel_grid.hpp"

constexpr std::array<double, 3> radii{8.0 / 255, 4.0 / 255, 8.0 / 255};

unlearn::PixelGrid lattice() {
#ifdef UNLEARN_BAD
  const unlearn::LinfBall ball{.radius = unlearn::PerChannel{.radii = radii, .plane = 1024}};
#else
  const unlearn::LinfBall ball{.radius = radii[0]};
#endif
  return unlearn::PixelGrid::from(1.0 / 255, ball);
}
