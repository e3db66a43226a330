// SPDX-License-Identifier: Apache-2.0
// A model that accepts only one kind of signals must not get another kind.
// expect-error: the model is no unlearn::DualEncoder for this source's signals
#include "minimizer_parts.hpp"

struct MyModel : Model {
  unlearn::Matrix encode_signals(const unlearn::FloatBatch& signals);
};

#ifdef UNLEARN_BAD
void run(MyModel& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
#else
void run(MyModel& model, Pairs<float>& pairs, State<float>& state, Rng& rng) {
#endif
  unlearn::mem().minimize(model, pairs, state, rng);
}
