// SPDX-License-Identifier: Apache-2.0
// expect-error: an observer matches no hook: it must take unlearn::RunBegin, BatchEnd
#include "minimizer_parts.hpp"

struct Watcher {
#ifdef UNLEARN_BAD
  void on_batch_end(const unlearn::BatchEnd&) {}
#else
  void operator()(const unlearn::BatchEnd&) {}
#endif
};

void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng, Watcher{});
}
