// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <span>

#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The loss of a batch of B pairs, as its captions are replaced.
///
/// Requirements, for a scorer `s`, captions `j` [M] < B and embeddings `u` [M, D]:
///  1. `s.loss()` is the loss with the current captions.
///  2. `s.score(j, u, losses)` writes to losses[m] the loss if caption j[m] alone had the embedding
///     u[m]. A caption may come any number of times.
///  3. `s.loss_with(j, u)` is the loss if all these captions, each named once, had these
///     embeddings.
///  4. `s.replace(j, u)` gives the captions these embeddings; `s.loss()` is then what
///     `s.loss_with(j, u)` was.
///  5. All but `replace` are const.
template <class S>
concept CaptionScorer = requires(S& s, const S& c, std::span<const Index> j, View<const float, 2> u,
                                 std::span<double> losses) {
  { c.loss() } -> std::convertible_to<double>;
  c.score(j, u, losses);
  { c.loss_with(j, u) } -> std::convertible_to<double>;
  s.replace(j, u);
};

/// The scorer that a loss brings: `loss.scorer(signals, texts, logit_scale, policy)`. A loss
/// without one gets a FullLossScorer, which is right for any loss, and slow.
/// @param signals, texts [B, D] the embeddings of the batch
/// @param logit_scale    exp(s)
/// @param policy         who scores. With an executor's policy, a loss whose scorer() takes only a
///                       Parallel gets one of a single thread
/// @returns a CaptionScorer of that batch
/// @throws InvalidArgument when the shapes differ.
template <ContrastiveLoss Loss, ThreadedPolicy Policy = Parallel>
[[nodiscard]] auto caption_scorer_for(const Loss& loss, View<const float, 2> signals,
                                      View<const float, 2> texts, double logit_scale,
                                      const Policy& policy) {
  if constexpr (requires { loss.scorer(signals, texts, logit_scale, policy); }) {
    static_assert(CaptionScorer<decltype(loss.scorer(signals, texts, logit_scale, policy))>,
                  "what the loss's scorer() returns is no unlearn::CaptionScorer: see its "
                  "requirements in unlearn/contrast/caption_scorer.hpp");
    return loss.scorer(signals, texts, logit_scale, policy);
  } else if constexpr (requires { loss.scorer(signals, texts, logit_scale, Parallel{}); }) {
    return caption_scorer_for(loss, signals, texts, logit_scale, Parallel{.threads = 1});
  } else {
    return FullLossScorer<Loss>(loss, signals, texts, logit_scale);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
