// SPDX-License-Identifier: Apache-2.0
// expect-error: this policy is no unlearn::RankingBackend: see its requirements in
// unlearn/trigger/ranking_backend.hpp
#include "unlearn/unlearn.hpp"

struct MyBackend : unlearn::HostBackend {
#ifdef UNLEARN_BAD
  using Filter = int;
#else
  using Filter = unlearn::TokenFilter;
#endif
  void rank_tokens(unlearn::View<const float, 2> gradients,
                   unlearn::View<const float, 2> embeddings, const Filter& filter,
                   unlearn::View<unlearn::Token, 2> tokens, unlearn::View<float, 2> scores) const;
};

void search(unlearn::View<const float, 3> gradients, unlearn::View<const float, 2> embeddings) {
  (void)unlearn::HotFlipCandidateSearch{}(MyBackend{}, gradients, embeddings,
                                          unlearn::TokenFilter(9));
}
