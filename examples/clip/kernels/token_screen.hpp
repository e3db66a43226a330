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

/// HotFlip's ranking in two steps: a product in bfloat16 excludes most tokens, and the few that
/// remain are scored in float.
///
/// Let ĝ and ê be the gradient and an embedding, rounded to bfloat16, and f their product as it is
/// computed. Then
///
///     |e·g − f| ≤ ‖g − ĝ‖‖e‖ + ‖ĝ‖‖e − ê‖ + E 2⁻²²(‖g‖ + ‖g − ĝ‖)(‖e‖ + ‖e − ê‖) + 2⁻⁸|f|:
///
/// The first two terms bound the effect of rounding the factors (by Cauchy and Schwarz). The third
/// bounds the rounding in sums of E floats, here and in the scores themselves. The last one is the
/// rounding of f, which is a bfloat16.
///
/// If a token's lower bound is above the upper bounds of `depth` other tokens, it is not among the
/// best `depth`. Of CLIP's 49,408 tokens, about 50 remain at a depth of 32; they are scored in
/// float. So the ranking is exactly that of the float scores, including ties. If a number is not
/// finite, neither are its bounds, and the token is scored.
///
/// A TokenRanker. Besides the result, each thread needs memory for the products of some thousand
/// tokens.
class TokenScreen {
 public:
  /// ‖x‖ and ‖x − x̂‖ of a vector; or the largest of several vectors.
  struct Norms {
    double whole = 0;
    double rounding = 0;
  };

  /// Whether this processor has products of bfloat16, and LibTorch computes their sums in float.
  [[nodiscard]] static bool available();

  /// Whether a table has enough tokens, and enough numbers per token, to be screened.
  /// @param embeddings [V, E]
  [[nodiscard]] static bool takes(View<const float, 2> embeddings);

  /// Makes a copy of the table in bfloat16: 2 V E bytes.
  /// @param embeddings [V, E], for which takes() holds; must outlive the screen and not change
  /// @throws InvalidArgument unless takes(embeddings)
  explicit TokenScreen(View<const float, 2> embeddings);

  /// Finds the best tokens for each gradient; see TokenRanker.
  /// @param gradients [rows, E]
  /// @param filter    the tokens that are allowed, of a vocabulary of V
  /// @param tokens    [rows, depth] receives the best tokens, the best first
  /// @param scores    [rows, depth] receives their scores
  /// @throws InvalidArgument when V, E, `rows` or `depth` differ between the arguments
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores) const;

 private:
  View<const float, 2> embeddings_;
  at::Tensor rounded_;        // [V, E] in bfloat16
  std::vector<Norms> norms_;  // the largest in each chunk of tokens
};

static_assert(TokenRanker<const TokenScreen>);

}  // namespace unlearn::clip
