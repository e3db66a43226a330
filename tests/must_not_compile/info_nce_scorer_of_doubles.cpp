// SPDX-License-Identifier: Apache-2.0
// Scoring reads the float embeddings that a text tower writes.
// expect-error: View<const float, 2
#include <span>

#include "unlearn/contrast/info_nce_scorer.hpp"

double loss(const unlearn::InfoNceScorer& scoring, std::span<const unlearn::Index> replaced) {
#ifdef UNLEARN_BAD
  const unlearn::MatrixOf<double> embeddings;
#else
  const unlearn::Matrix embeddings;
#endif
  return scoring.loss_with(replaced, embeddings);
}
