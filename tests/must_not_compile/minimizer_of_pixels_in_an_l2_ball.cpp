// SPDX-License-Identifier: Apache-2.0
// expect-error: the pixel lattice needs an LinfBall with one radius for all channels
#include "minimizer_parts.hpp"

void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
#ifdef UNLEARN_BAD
  const unlearn::L2Ball ball{.radius = 8.0 / 255};
#else
  const unlearn::LinfBall ball{.radius = 8.0 / 255};
#endif
  const unlearn::MultiStepMinimizer mem{.ball = ball};
  mem.minimize(model, pairs, state, rng);
}
