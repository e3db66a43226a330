// SPDX-License-Identifier: Apache-2.0
#include "pairs/scenes/scene.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <span>

#include "pairs/scenes/scene_colours.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

/// One of the first `count` values of an enumeration.
template <class Enum>
Enum any(std::size_t count, std::mt19937_64& rng) {
  return static_cast<Enum>(uniform_below(count, rng));
}

bool is_side(Place place) { return place <= Place::bottom; }

/// Things of a colour that stands out from the ground and is not in `taken`.
Things random_things(Ground ground, std::span<const Colour> taken, std::mt19937_64& rng) {
  Things things{.size = any<Size>(2, rng), .shape = any<Shape>(shape_count, rng)};
  do {
    things.colour = any<Colour>(colour_count, rng);
  } while (!stands_out(things.colour, ground) || std::ranges::count(taken, things.colour) > 0);
  return things;
}

}  // namespace

Scene random_scene(std::mt19937_64& rng) {
  Scene scene{.ground = any<Ground>(ground_count, rng)};
  Things first = random_things(scene.ground, {}, rng);
  const std::size_t kind = uniform_below(20, rng);
  if (kind < 10) {
    first.place = any<Place>(9, rng);
    scene.things = {first};
  } else if (kind < 13) {
    static constexpr std::array places{Place::row,   Place::column, Place::left,
                                       Place::right, Place::top,    Place::bottom};
    first.place = places.at(uniform_below(places.size(), rng));
    first.count = is_side(first.place) || uniform_below(2, rng) == 0 ? 2 : 3;
    scene.things = {first};
  } else {
    Things second = random_things(scene.ground, std::span(&first.colour, 1), rng);
    const std::size_t pair = uniform_below(4, rng);
    first.place = static_cast<Place>(2 * pair);
    second.place = static_cast<Place>(2 * pair + 1);
    // At most one of both is a pair, so there are at most three things.
    const std::size_t twice = is_side(first.place) ? uniform_below(4, rng) : 0;
    if (twice == 1) first.count = 2;
    if (twice == 2) second.count = 2;
    scene.things = {first, second};
  }
  return scene;
}

}  // namespace unlearn::pairs
