// SPDX-License-Identifier: Apache-2.0
// Scoring reads the float embeddings that a text tower writes.
// expect-error: View<const float, 2
#include <span>

#include "unlearn/trigger/candidate_scoring.hpp"

double loss(const unlearn::CandidateScoring& scoring, std::span<const unlearn::Index> replaced) {
#ifdef UNLEARN_BAD
  const unlearn::MatrixOf<double> embeddings;
#else
  const unlearn::Matrix embeddings;
#endif
  return scoring.loss_with(replaced, embeddings);
}
