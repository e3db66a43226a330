// SPDX-License-Identifier: Apache-2.0
// expect-error: signals of uint8 go with a noise store of int8, signals of float with float
#include "minimizer_parts.hpp"

#ifdef UNLEARN_BAD
void run(Model& model, Pairs<std::uint8_t>& pairs, State<float>& state, Rng& rng) {
#else
void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
#endif
  unlearn::mem().minimize(model, pairs, state, rng);
}
