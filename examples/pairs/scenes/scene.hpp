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

/// What is behind or under the things of a scene. Each ground has its own colours and texture.
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

/// The shape of a thing.
enum class Shape : std::uint8_t { circle, square, triangle, star, ring, cross };

/// The colour of a thing.
enum class Colour : std::uint8_t { red, orange, yellow, green, blue, purple, pink, white, black };

/// The size of a thing.
enum class Size : std::uint8_t { small, large };

/// Where things are in the image. `row` and `column` go through the middle, and have two or three
/// things.
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

/// What an image shows, without random details. Two scenes are equal if and only if the same
/// captions are right for both.
struct Scene {
  Ground ground{};
  /// One entry; or two entries of different colours at opposite places, in the order of Place. At
  /// most three things in all. No colour is close to those of the ground.
  std::vector<Things> things{};

  friend auto operator<=>(const Scene&, const Scene&) = default;
};

/// Draws one of about 600,000 scenes; half of the draws have one thing.
[[nodiscard]] Scene random_scene(std::mt19937_64& rng);

/// A sentence that describes the whole scene, in lower-case English with " ." at the end. The order
/// of its parts and the words are drawn at random.
[[nodiscard]] std::string random_caption(const Scene& scene, std::mt19937_64& rng);

/// Renders the scene as a square image. All arithmetic is in integers, so the pixels are the same
/// on every machine. Edges are smoothed by 4 × 4 samples per pixel.
/// @param side height and width in pixels; 32 are enough to see everything that a caption says
/// @param seed of the random details: exact places, angles and shades, the light, the grain of the
///             ground, and sensor noise
/// @returns [side, side, 3]
/// @throws InvalidArgument unless side is 8 to 1,024
[[nodiscard]] Image render(const Scene& scene, std::size_t side, std::uint64_t seed);

}  // namespace unlearn::pairs
