// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "pairs/scenes/scene.hpp"

namespace unlearn::pairs {

/// The numbers of values of Ground, Shape and Colour.
inline constexpr std::size_t ground_count = 10;
inline constexpr std::size_t shape_count = 6;
inline constexpr std::size_t colour_count = 9;

/// Red, green and blue, 0 to 255. While light and noise are added, values may be outside this
/// range.
using Rgb = std::array<int, 3>;

/// The colours of things, in the order of Colour.
inline constexpr std::array<Rgb, colour_count> colours{{{214, 34, 40},
                                                        {246, 138, 22},
                                                        {250, 226, 48},
                                                        {30, 172, 72},
                                                        {36, 76, 216},
                                                        {132, 44, 170},
                                                        {250, 136, 192},
                                                        {250, 250, 250},
                                                        {18, 18, 22}}};

/// The two colours of each ground, in the order of Ground.
inline constexpr std::array<std::array<Rgb, 2>, ground_count> ground_colours{
    {{{{74, 124, 48}, {112, 160, 72}}},
     {{{206, 180, 130}, {226, 204, 158}}},
     {{{222, 230, 242}, {244, 247, 252}}},
     {{{52, 120, 178}, {106, 172, 214}}},
     {{{14, 16, 40}, {26, 28, 58}}},
     {{{166, 80, 62}, {190, 178, 166}}},
     {{{96, 62, 34}, {134, 92, 54}}},
     {{{96, 96, 100}, {130, 130, 134}}},
     {{{104, 66, 136}, {250, 150, 96}}},
     {{{44, 146, 150}, {222, 234, 230}}}}};

/// Whether a thing of this colour is easy to see on this ground.
constexpr bool stands_out(Colour colour, Ground ground) {
  constexpr int least = 92;  // found by looking
  const Rgb& thing = colours.at(static_cast<std::size_t>(colour));
  return std::ranges::all_of(ground_colours.at(static_cast<std::size_t>(ground)),
                             [&](const Rgb& part) {
                               int squares = 0;
                               for (std::size_t c = 0; c < 3; ++c) {
                                 squares += (thing[c] - part[c]) * (thing[c] - part[c]);
                               }
                               return squares >= least * least;
                             });
}

}  // namespace unlearn::pairs
