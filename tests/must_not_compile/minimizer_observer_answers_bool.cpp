// SPDX-License-Identifier: Apache-2.0
// It would be unclear whether `true` means to continue or to stop.
// expect-error: an observer matches no hook: .* return void or unlearn::Flow
#include "minimizer_parts.hpp"

void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
#ifdef UNLEARN_BAD
  const auto watch = [](const unlearn::RoundEnd&) { return true; };
#else
  const auto watch = [](const unlearn::RoundEnd&) { return unlearn::Flow::stop; };
#endif
  unlearn::mem().minimize(model, pairs, state, rng, watch);
}
