// SPDX-License-Identifier: Apache-2.0
// A scorer that cannot apply accepted triggers would continue from the old ones.
// expect-error: TriggerScorer
#include <span>

#include "unlearn/trigger/beam_search.hpp"

using unlearn::Index;
using unlearn::Token;
using unlearn::View;

struct Scorer {
  double loss() const;
  void propose(std::span<const Index> groups, View<const Token, 2> triggers);
  void score(std::span<double> losses) const;
  double joint_loss(std::span<const Index> chosen) const;
#ifndef UNLEARN_BAD
  void commit(std::span<const Index> chosen);
#endif
};

void search(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer) {
  unlearn::BeamSearch{}(triggers, candidates, scorer);
}
