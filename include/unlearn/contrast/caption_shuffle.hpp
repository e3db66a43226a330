// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <numeric>
#include <span>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {

/// S(T): the captions of a batch in a fresh, uniformly drawn order, for one noise step.
///
/// Signal i meets its own trigger t_i and the caption of sample caption_of[i], so its noise gets
/// tied to the trigger and not to the caption. A permutation may leave a caption where it is.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5.
struct CaptionShuffle {
  /// Off: every signal keeps its own caption (EM, and the ablation), and nothing is drawn.
  bool enabled = true;

  /// Writes a permutation of 0 .. B−1.
  /// @param caption_of [B], for each signal the sample whose caption it meets
  /// @param rng        not drawn from when the shuffle is off
  template <std::uniform_random_bit_generator Rng>
  void operator()(std::span<Index> caption_of, Rng& rng) const {
    std::iota(caption_of.begin(), caption_of.end(), Index{0});
    if (enabled) shuffle(caption_of, rng);
  }
};

static_assert(std::is_trivially_copyable_v<CaptionShuffle> && std::is_aggregate_v<CaptionShuffle>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
