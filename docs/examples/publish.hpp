// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/unlearn.hpp"

// [protected-image]
/// The image of `row` with its noise, as it is published.
std::vector<std::uint8_t> protected_image(const auto& pairs, const auto& state,
                                          unlearn::Index row) {
  const unlearn::Index image = pairs.signal_of(row), group = state.scope.noise.of(row);
  std::vector<std::uint8_t> pixels(pairs.elements());
  std::vector<std::int8_t> noise(pairs.elements());
  pairs.load_signals(std::span(&image, 1), {pixels, {1, pixels.size()}});
  state.noise.load(std::span(&group, 1), {noise, {1, noise.size()}});
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    // A noise that several images share may leave the range in some of them.
    pixels[i] = static_cast<std::uint8_t>(std::clamp(pixels[i] + noise[i], 0, 255));
  }
  return pixels;
}
// [/protected-image]

// [protected-caption]
/// The caption of `row` with its trigger, start and end token included.
std::vector<unlearn::Token> protected_caption(const auto& pairs, const auto& state,
                                              const auto& placement, unlearn::Index row) {
  const auto caption = pairs.caption(row);
  const auto trigger = state.triggers[state.scope.triggers.of(row)];
  std::vector<unlearn::Token> sequence(placement.length(caption.size(), trigger.size()));
  std::vector<std::int32_t> positions(trigger.size());
  placement.place(row, caption, trigger, sequence, positions);
  return sequence;
}
// [/protected-caption]
