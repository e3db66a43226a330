// SPDX-License-Identifier: Apache-2.0
// expect-error: a policy of a device goes with a noise store in its memory
#include "minimizer_parts.hpp"

/// In a device's memory, over a store in the host's.
struct Away : unlearn::MemoryNoise<std::int8_t> {
  unlearn::MemoryNoise<std::int8_t>& home();
  const unlearn::MemoryNoise<std::int8_t>& home() const;
  void bring_home();
  std::size_t away_bytes() const;
  void reload();
};

#ifdef UNLEARN_BAD
using Noise = Away;
#else
using Noise = unlearn::MemoryNoise<std::int8_t>;
#endif

void run(Model& model, Pairs<std::uint8_t>& pairs, unlearn::RunState<Noise>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng);
}
