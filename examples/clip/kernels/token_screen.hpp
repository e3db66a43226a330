// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn::clip {

/// HotFlip's ranking by a product in bfloat16 that leaves few tokens to score in float.
///
/// With ĝ and ê the gradient and an embedding rounded to bfloat16, and f what the product gives,
///
///     |e·g − f| ≤ ‖g − ĝ‖‖e‖ + ‖ĝ‖‖e − ê‖ + E 2⁻²²(‖g‖ + ‖g − ĝ‖)(‖e‖ + ‖e − ê‖) + 2⁻⁸|f|:
///
/// by Cauchy and Schwarz what the rounding of the factors does; what sums of E floats round, here
/// and in the scores themselves; and the rounding of f, which is itself a bfloat16. A token whose
/// lower bound is above the upper bounds of `depth` others is none of the best `depth`; what is
/// left of 49,408 tokens, some 50 for a depth of 32, is scored in float. So the ranking is the one
/// of the float scores, ties and all. Where a number is not finite its bounds are not, and the
/// token is scored.
///
/// A TokenRanker. Beside the result a ranking takes some thousand tokens' products at a time.
class TokenScreen {
 public:
  /// ‖x‖ and ‖x − x̂‖; of several vectors the largest.
  struct Norms {
    double whole = 0;
    double rounding = 0;
  };

  /// Whether this processor multiplies in bfloat16, and LibTorch then sums in float.
  [[nodiscard]] static bool available();

  /// Whether a table has enough tokens to be screened.
  [[nodiscard]] static bool takes(View<const float, 2> embeddings);

  /// Converts the table; 2 bytes a number.
  /// @param embeddings [V, E], what `takes` takes; the numbers must outlive the screen and not
  ///                   change
  explicit TokenScreen(View<const float, 2> embeddings);

  /// See TokenRanker.
  /// @throws InvalidArgument when E or V differ between the arguments.
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores) const;

 private:
  View<const float, 2> embeddings_;
  at::Tensor rounded_;        // [V, E] in bfloat16
  std::vector<Norms> norms_;  // of each chunk of tokens
};

static_assert(TokenRanker<const TokenScreen>);

}  // namespace unlearn::clip
