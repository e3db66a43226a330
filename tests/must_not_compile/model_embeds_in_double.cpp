// SPDX-License-Identifier: Apache-2.0
// expect-error: the model is no unlearn::DualEncoder for this source's signals
#include "minimizer_parts.hpp"

struct MyModel : Model {
#ifdef UNLEARN_BAD
  using Embeddings = unlearn::MatrixOf<double>;
#else
  using Embeddings = unlearn::MatrixOf<float>;
#endif
  Embeddings encode_texts(const unlearn::TokenBatch& texts);
};

void run(MyModel& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
  unlearn::mem().minimize(model, pairs, state, rng);
}
