// SPDX-License-Identifier: Apache-2.0
// What the tests of scorers have in common: candidates that replace captions of a batch.
#pragma once

#include <cstddef>
#include <vector>

#include "special_numbers.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/matrix.hpp"

namespace unlearn::testing {

/// The loss with each candidate. Row m of `embeddings` replaces caption `replaced[m]`.
template <class Scorer>
std::vector<double> scores(const Scorer& scorer, const std::vector<Index>& replaced,
                           const Matrix& embeddings) {
  std::vector<double> losses(replaced.size(), nan);
  scorer.score(replaced, embeddings, losses);
  return losses;
}

/// `texts`, with all candidates in the places of the captions that they replace.
inline Matrix with_rows(Matrix texts, const std::vector<Index>& replaced,
                        const Matrix& embeddings) {
  for (std::size_t m = 0; m < replaced.size(); ++m) {
    texts.row(replaced[m]) = embeddings.row(static_cast<Eigen::Index>(m));
  }
  return texts;
}

/// `each` candidates for every one of `size` captions, in turn.
inline std::vector<Index> captions_in_turn(std::size_t size, std::size_t each) {
  std::vector<Index> replaced;
  for (std::size_t m = 0; m < each * size; ++m) replaced.push_back(static_cast<Index>(m % size));
  return replaced;
}

}  // namespace unlearn::testing
