// SPDX-License-Identifier: Apache-2.0
// expect-error: scorer[(][)] returns is no unlearn::CaptionScorer: see its requirements
#include "unlearn/unlearn.hpp"

struct Scorer {
  double loss() const;
  void score(std::span<const unlearn::Index> captions, unlearn::View<const float, 2> embeddings,
             std::span<double> losses) const;
  double loss_with(std::span<const unlearn::Index> captions,
                   unlearn::View<const float, 2> embeddings) const;
#ifndef UNLEARN_BAD
  void replace(std::span<const unlearn::Index> captions, unlearn::View<const float, 2> embeddings);
#endif
};

struct MyLoss : unlearn::InfoNce {
  Scorer scorer(unlearn::View<const float, 2> signals, unlearn::View<const float, 2> texts,
                double logit_scale, unlearn::Parallel policy) const;
};

double loss(unlearn::Matrix& signals, unlearn::Matrix& texts) {
  return unlearn::caption_scorer_for(MyLoss{}, signals, texts, 10, unlearn::Parallel{}).loss();
}
