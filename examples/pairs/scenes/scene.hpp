// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pairs/images/image.hpp"

namespace unlearn::pairs {

/// What a scene's things lie on, or stand before. Each has its own colours and texture.
enum class Ground : std::uint8_t {
  grass,
  sand,
  snow,
  water,
  night,
  bricks,
  wood,
  road,
  sunset,
  cloth
};

enum class Shape : std::uint8_t { circle, square, triangle, star, ring, cross };

enum class Colour : std::uint8_t { red, orange, yellow, green, blue, purple, pink, white, black };

enum class Size : std::uint8_t { small, large };

/// Where in the image. `row` and `column` go through its middle and take two or three things.
enum class Place : std::uint8_t {
  left,
  right,
  top,
  bottom,
  top_left,
  bottom_right,
  top_right,
  bottom_left,
  middle,
  row,
  column
};

/// One thing, or two or three that look the same.
struct Things {
  std::uint8_t count = 1;
  Size size{};
  Colour colour{};
  Shape shape{};
  Place place{};

  friend auto operator<=>(const Things&, const Things&) = default;
};

/// What an image shows, without the accidents: two scenes are equal if and only if the same
/// captions are right for both.
struct Scene {
  Ground ground{};
  /// One, or two of different colours at opposite places, in the order of Place; at most three
  /// things in all. No colour is close to the ground's.
  std::vector<Things> things{};

  friend auto operator<=>(const Scene&, const Scene&) = default;
};

/// Draws one of some 600,000 scenes; in half of them there is one thing.
[[nodiscard]] Scene random_scene(std::mt19937_64& rng);

/// A sentence in lower-case English, with " ." at its end, that names all that the scene is. The
/// order of its parts and the words for them are drawn.
[[nodiscard]] std::string random_caption(const Scene& scene, std::mt19937_64& rng);

/// The scene as a square image. `seed` draws the accidents: exact places, angles and shades,
/// light, the ground's grain, and the noise of a sensor.
///
/// Integer arithmetic throughout: the pixels are the same on every machine. Edges are smoothed by
/// 4 × 4 samples a pixel.
/// @param side height and width in pixels; at 32 all that a caption says can be seen
/// @throws InvalidArgument unless side is 8 to 1,024
[[nodiscard]] Image render(const Scene& scene, std::size_t side, std::uint64_t seed);

}  // namespace unlearn::pairs
