// SPDX-License-Identifier: Apache-2.0
// expect-error: the loss is no unlearn::ContrastiveLoss: see its requirements
#include "minimizer_parts.hpp"

struct MyLoss {
  using Embeddings = unlearn::View<const float, 2>;
  unlearn::InfoNceResult<float> operator()(Embeddings a, Embeddings b, double scale) const;
#ifndef UNLEARN_BAD
  double value(Embeddings a, Embeddings b, double scale) const;
#endif
};

void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
  const unlearn::MultiStepMinimizer mem{.loss = MyLoss{}};
  mem.minimize(model, pairs, state, rng);
}
