// SPDX-License-Identifier: Apache-2.0
// expect-error: prefetch.. of a pair source or a noise store must take a
#include "minimizer_parts.hpp"

struct Eager : Pairs<std::uint8_t> {
#ifdef UNLEARN_BAD
  void prefetch(unlearn::Index signal);
#else
  void prefetch(std::span<const unlearn::Index> signals);
#endif
};

void run(Model& model, Eager& pairs, State<std::int8_t>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng);
}
