// SPDX-License-Identifier: Apache-2.0
// A hook that knows neither sample nor position is a TokenFilter.
// expect-error: CandidateHook
#include <cstddef>

#include "unlearn/trigger/hotflip_candidate_search.hpp"

using unlearn::Token;
using unlearn::View;

auto search(View<const float, 3> gradients, View<const float, 2> embeddings,
            const unlearn::TokenFilter& filter) {
#ifdef UNLEARN_BAD
  const auto accept = [](Token token) { return token > 0; };
#else
  const auto accept = [](std::size_t, std::size_t, Token token) { return token > 0; };
#endif
  return unlearn::HotFlipCandidateSearch{}(unlearn::parallel, gradients, embeddings, filter,
                                           accept);
}
