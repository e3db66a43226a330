// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

/// Which captions of a scorer's batch have an embedding that is not finite. With one of them the
/// loss is NaN. The sums alone would not show it in a program compiled with -ffast-math.
class FiniteCaptions {
 public:
  FiniteCaptions() = default;

  /// @param rest  whether all else is finite: the signals, the scale, the bias
  /// @param texts [B, D] the embeddings of the captions
  FiniteCaptions(bool rest, View<const float, 2> texts) : rest_(rest), wrong_(texts.extent(0)) {
    for (std::size_t j = 0; j < wrong_.size(); ++j) set(j, texts.row(j));
  }

  /// Caption replaced[m] gets the embedding m.
  void replace(std::span<const Index> replaced, View<const float, 2> embeddings) {
    for (std::size_t m = 0; m < replaced.size(); ++m) set(replaced[m], embeddings.row(m));
  }

  /// The loss of the batch: `loss`, or NaN.
  [[nodiscard]] double checked(double loss) const {
    return rest_ && wrong_captions_ == 0 ? loss : not_a_number<double>();
  }

  /// The loss after caption `replaced` got this embedding: `loss`, or NaN.
  [[nodiscard]] double checked(double loss, Index replaced,
                               std::span<const float> embedding) const {
    const bool others = wrong_captions_ == static_cast<std::size_t>(wrong_[replaced]);
    return rest_ && others && all_finite(embedding) ? loss : not_a_number<double>();
  }

 private:
  void set(std::size_t caption, std::span<const float> embedding) {
    wrong_captions_ -= static_cast<std::size_t>(wrong_[caption]);
    wrong_[caption] = static_cast<char>(!all_finite(embedding));
    wrong_captions_ += static_cast<std::size_t>(wrong_[caption]);
  }

  bool rest_ = true;
  std::vector<char> wrong_;  // [B], 0 or 1
  std::size_t wrong_captions_ = 0;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
