// SPDX-License-Identifier: Apache-2.0
// Whether a trigger survives as text depends on all of its tokens.
// expect-error: TriggerConstraint
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
  void commit(std::span<const Index> chosen);
};

void search(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer) {
#ifdef UNLEARN_BAD
  const auto constraint = [](Index, Token token) { return token > 0; };
#else
  const auto constraint = [](Index, std::span<const Token> trigger) { return trigger[0] > 0; };
#endif
  unlearn::BeamSearch{}(triggers, candidates, scorer, constraint);
}
