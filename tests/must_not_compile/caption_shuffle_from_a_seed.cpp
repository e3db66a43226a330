// SPDX-License-Identifier: Apache-2.0
// A shuffle draws from the caller's generator; a seed would give the same order at every step.
// expect-error: uniform_random_bit_generator
#include <random>
#include <span>

#include "unlearn/contrast/caption_shuffle.hpp"

void reorder(std::span<unlearn::Index> caption_of, std::mt19937_64& rng) {
#ifdef UNLEARN_BAD
  unlearn::CaptionShuffle{}(caption_of, rng());
#else
  unlearn::CaptionShuffle{}(caption_of, rng);
#endif
}
