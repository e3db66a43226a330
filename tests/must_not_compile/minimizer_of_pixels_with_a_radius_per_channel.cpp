// SPDX-License-Identifier: Apache-2.0
// expect-error: the pixel lattice needs an LinfBall with one radius for all channels
#include <array>

#include "minimizer_parts.hpp"

constexpr std::array<double, 3> radii{8.0 / 255, 4.0 / 255, 8.0 / 255};

#ifdef UNLEARN_BAD
void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
#else
void run(Model& model, Pairs<float>& pairs, State<float>& state, Rng& rng) {
#endif
  const unlearn::LinfBall ball{.radius = unlearn::PerChannel{.radii = radii, .plane = 1024}};
  const unlearn::MultiStepMinimizer mem{.ball = ball};
  mem.minimize(model, pairs, state, rng);
}
