// SPDX-License-Identifier: Apache-2.0
// expect-error: a policy of a device goes with a pair source that writes to its memory
#include "minimizer_parts.hpp"

struct PairsThere : Pairs<std::uint8_t> {
#ifdef UNLEARN_BAD
  static constexpr bool on_device = true;
#endif
};

void run(Model& model, PairsThere& pairs, State<std::int8_t>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng);
}
