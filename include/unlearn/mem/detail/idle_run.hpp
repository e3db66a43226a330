// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/pixel_grid.hpp"

// Settings with which a stage would run and change nothing. Its losses would look like success.

namespace unlearn::detail {

/// @param stage the stage's name
/// @param pairs the pairs in its smallest batch
/// @throws InvalidArgument when the loss cannot learn from so few
template <ContrastiveLoss Loss>
void require_enough_pairs(std::string_view stage, std::size_t pairs) {
  constexpr std::size_t least = least_pairs_of<Loss>;
  if (pairs >= least) return;
  throw InvalidArgument(
      expectation("pairs in the smallest batch of the " + std::string(stage) + " stage",
                  "at least " + in_words(least) +
                      ", which the loss compares (raise batch_size, or give more pairs)",
                  pairs));
}

/// @param ball     bounds the noise
/// @param elements how many numbers a noise has
/// @throws InvalidArgument when the ball contains nothing but 0, and when it is invalid
template <Ball<float> BallT>
void require_room(const BallT& ball, std::size_t elements) {
  validate(ball, elements);
  std::vector<float> noise(elements);
  // Both, because a ball of your own may allow one sign alone.
  for (const float start : {1.0F, -1.0F}) {
    std::ranges::fill(noise, start);
    ball.project(std::span<float>(noise));
    if (std::ranges::any_of(noise, [](float x) { return x != 0; })) return;
  }
  throw InvalidArgument(expectation("radius of the ball",
                                    "more than 0 (8 / 255 is 0 in integers: write 8.0 / 255; "
                                    "descent.steps = 0 leaves the noise out)",
                                    0));
}

/// @param step of a descent
/// @throws InvalidArgument when it is 0
inline void require_movement(double step) {
  require(step != 0, "step of the descent",
          "more than 0 (1 / 255 is 0 in integers: write 1.0 / 255; descent.steps = 0 leaves the "
          "noise out)",
          0);
}

/// @param grid of noise on bytes
/// @throws InvalidArgument when its step or radius is not a level, though it is more than 0
inline void require_levels(const PixelGrid& grid) {
  require(grid.step > 0, "step of the descent", "at least one level, 1.0 / 255", grid.step);
  require(grid.radius > 0, "radius of the ball", "at least one level, 1.0 / 255", grid.radius);
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
