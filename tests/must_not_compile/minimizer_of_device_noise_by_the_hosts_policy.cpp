// SPDX-License-Identifier: Apache-2.0
// expect-error: a policy of a device goes with a noise store in its memory
#include "minimizer_parts.hpp"

/// Noise in a device's memory, backed by a store in the host's memory.
struct Away : unlearn::MemoryNoiseStore<std::int8_t> {
  unlearn::MemoryNoiseStore<std::int8_t>& host();
  const unlearn::MemoryNoiseStore<std::int8_t>& host() const;
  void write_back();
  std::size_t dirty_bytes() const;
  void reload();
};

#ifdef UNLEARN_BAD
using Noise = Away;
#else
using Noise = unlearn::MemoryNoiseStore<std::int8_t>;
#endif

void run(Model& model, Pairs<std::uint8_t>& pairs, unlearn::RunState<Noise>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng);
}
