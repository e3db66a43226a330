// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <random>  // std::uniform_random_bit_generator
#include <span>

#include "unlearn/core/random.hpp"

namespace unlearn::detail {

/// A uniformly distributed number between 0 and 1, which is neither of the two.
template <std::uniform_random_bit_generator Rng>
[[nodiscard]] double draw_unit(Rng& rng) {
  return (static_cast<double>(random_bits(rng) >> 12U) + 0.5) * 0x1p-52;
}

/// Independent normally distributed numbers of variance 1. Source: Box and Muller, 1958.
template <class T, std::uniform_random_bit_generator Rng>
void draw_normal(std::span<T> numbers, Rng& rng) {
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    const double length = std::sqrt(-2 * std::log(draw_unit(rng)));
    const double angle = 2 * std::numbers::pi * draw_unit(rng);
    numbers[i] = static_cast<T>(length * std::cos(angle));
    if (i + 1 < numbers.size()) numbers[i + 1] = static_cast<T>(length * std::sin(angle));
  }
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
