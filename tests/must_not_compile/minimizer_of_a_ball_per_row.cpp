// SPDX-License-Identifier: Apache-2.0
// expect-error: a ball per row belongs to one batch, and a run has many: give it one ball
#include "minimizer_parts.hpp"

void run(Model& model, Pairs<float>& pairs, State<float>& state, Rng& rng) {
#ifdef UNLEARN_BAD
  const unlearn::BallPerRow<unlearn::L2Ball> ball{};
#else
  const unlearn::L2Ball ball{.radius = 1};
#endif
  const unlearn::MultiStepMinimizer mem{.ball = ball};
  mem.minimize(model, pairs, state, rng);
}
