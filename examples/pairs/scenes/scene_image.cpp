// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "pairs/scenes/scene.hpp"
#include "pairs/scenes/scene_colours.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

// Lengths are fractions of the image's side, and angles are tangents, both in fixed point. They are
// integers because some compilers fuse floating-point operations, which changes the results.
constexpr int one = 1 << 16;
constexpr int percent = one / 100;
constexpr int unit = 1024;  ///< a thing's radius, in its own coordinates

struct Point {
  int x = 0;
  int y = 0;
};

/// A number in [-most, most].
int jitter(int most, SplitMix64& rng) {
  return static_cast<int>(uniform_below(2 * static_cast<std::size_t>(most) + 1, rng)) - most;
}

constexpr int floor_div(int a, int b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Interpolates: `from` at 0, `to` at `whole`.
int between(int from, int to, int at, int whole) {
  return from + static_cast<int>(std::int64_t{to - from} * at / whole);
}

Rgb between(const Rgb& from, const Rgb& to, int at, int whole) {
  return {between(from[0], to[0], at, whole), between(from[1], to[1], at, whole),
          between(from[2], to[2], at, whole)};
}

/// Random values at integer points, and smooth values between them.
class Grain {
 public:
  explicit Grain(std::uint64_t seed) : seed_(seed) {}

  /// The random value of a pair of integers, 0 to 255.
  [[nodiscard]] int at(int i, int j) const {
    const std::uint64_t place =
        (std::uint64_t{static_cast<std::uint32_t>(i)} << 32U) | static_cast<std::uint32_t>(j);
    SplitMix64 rng(seed_ ^ (place * 0x9E3779B97F4A7C15U));
    return static_cast<int>(rng() >> 56U);
  }

  /// Interpolates between the values at the corners of a cell of the given width and height.
  /// @returns 0 to 255
  [[nodiscard]] int smooth(Point p, int width, int height) const {
    const int i = floor_div(p.x, width);
    const int j = floor_div(p.y, height);
    const int x = p.x - i * width;
    const int upper = between(at(i, j), at(i + 1, j), x, width);
    const int lower = between(at(i, j + 1), at(i + 1, j + 1), x, width);
    return between(upper, lower, p.y - j * height, height);
  }

 private:
  std::uint64_t seed_;
};

/// A ground's colour at each point.
class GroundPainter {
 public:
  GroundPainter(Ground ground, SplitMix64& rng)
      : ground_(ground),
        dark_(ground_colours.at(static_cast<std::size_t>(ground))[0]),
        bright_(ground_colours.at(static_cast<std::size_t>(ground))[1]),
        grain_(rng()),
        shift_{.x = jitter(one, rng), .y = jitter(one, rng)} {}

  [[nodiscard]] Rgb at(Point seen) const {
    const Point p{.x = seen.x + shift_.x, .y = seen.y + shift_.y};
    switch (ground_) {
      case Ground::grass:  // blades
        return mixed((3 * grain_.smooth(p, one / 28, one / 9) + broad(p)) / 4);
      case Ground::sand: return mixed((grain_.smooth(p, one / 36, one / 36) + broad(p)) / 2);
      case Ground::snow: return mixed(broad(p));
      case Ground::water: {
        const int y = p.y + grain_.smooth(p, one / 4, one / 6) * one / 2048;
        return mixed(wave(y, one / 7));
      }
      case Ground::night: return night(p);
      case Ground::bricks: return bricks(p);
      case Ground::wood: return wood(p);
      case Ground::road: return mixed(grain_.smooth(p, one / 30, one / 30));
      case Ground::sunset: {
        const int haze = grain_.smooth(p, one / 2, one / 8) * one / 1024;
        return between(dark_, bright_, std::clamp(seen.y + haze - one / 8, 0, one), one);
      }
      case Ground::cloth: {
        const int i = floor_div(p.x, one / 5);
        const int j = floor_div(p.y, one / 5);
        return ((i + j) & 1) == 0 ? dark_ : bright_;
      }
    }
    return dark_;
  }

 private:
  /// A mixture of the ground's two colours; `at` is 0 to 255.
  [[nodiscard]] Rgb mixed(int at) const { return between(dark_, bright_, at, 255); }

  [[nodiscard]] int broad(Point p) const { return grain_.smooth(p, one / 3, one / 3); }

  static int wave(int y, int period) {
    const int phase = y - floor_div(y, period) * period;
    return std::abs(2 * phase - period) * 255 / period;
  }

  [[nodiscard]] Rgb night(Point p) const {
    const int cell = one / 12;
    const int i = floor_div(p.x, cell);
    const int j = floor_div(p.y, cell);
    const int off =
        std::max(std::abs(p.x - i * cell - cell / 2), std::abs(p.y - j * cell - cell / 2));
    if (grain_.at(i, j) < 26 && off < one / 80) return {170, 172, 190};
    return mixed(broad(p));
  }

  [[nodiscard]] Rgb bricks(Point p) const {
    const int height = one / 6;
    const int width = one / 3;
    const int joint = one / 30;
    const int j = floor_div(p.y, height);
    const int x = p.x + (j & 1) * width / 2;
    const int i = floor_div(x, width);
    if (p.y - j * height < joint || x - i * width < joint) return bright_;
    const int shade = grain_.at(i, j) / 8 - 16;
    return {dark_[0] + shade, dark_[1] + shade, dark_[2] + shade};
  }

  [[nodiscard]] Rgb wood(Point p) const {
    const int height = one / 5;
    const int j = floor_div(p.y, height);
    if (p.y - j * height < one / 40) return {dark_[0] / 2, dark_[1] / 2, dark_[2] / 2};
    return mixed((grain_.at(j, 0) + grain_.smooth(p, one / 2, one / 40)) / 2);
  }

  Ground ground_;
  Rgb dark_;
  Rgb bright_;
  Grain grain_;
  Point shift_;
};

bool in_star(Point p) {
  static constexpr std::array<Point, 10> corners{{{0, -1126},
                                                  {276, -380},
                                                  {1071, -348},
                                                  {447, 145},
                                                  {662, 911},
                                                  {0, 470},
                                                  {-662, 911},
                                                  {-447, 145},
                                                  {-1071, -348},
                                                  {-276, -380}}};
  bool inside = false;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const Point a = corners.at(i);
    const Point b = corners.at((i + 1) % corners.size());
    if ((a.y > p.y) == (b.y > p.y)) continue;
    const int side = (b.x - a.x) * (p.y - a.y) - (p.x - a.x) * (b.y - a.y);
    if ((side > 0) == (b.y > a.y)) inside = !inside;
  }
  return inside;
}

/// Whether a point is inside the shape.
/// @param p relative to the shape's centre; `unit` is its radius
bool is_in(Shape shape, Point p) {
  const int x = std::abs(p.x);
  const int y = std::abs(p.y);
  if (std::max(x, y) > 2 * unit) return false;
  const int squares = x * x + y * y;
  switch (shape) {
    case Shape::circle: return squares <= unit * unit;
    case Shape::square: return std::max(x, y) <= 900;
    case Shape::triangle: return p.y <= 860 && x * 1920 <= 1080 * (p.y + 1060);
    case Shape::star: return in_star(p);
    case Shape::ring: return squares <= 1060 * 1060 && squares >= 580 * 580;
    case Shape::cross: return std::max(x, y) <= 1040 && std::min(x, y) <= 330;
  }
  return false;
}

/// One thing of an image, with its random details.
struct Thing {
  Shape shape{};
  Point centre;
  int radius = 0;
  int turn = 0;  ///< the tangent of an angle, in parts of `unit`
  Rgb colour{};

  /// The image's point `p` in the coordinates of the thing.
  [[nodiscard]] Point own(Point p) const {
    const std::int64_t x = p.x - centre.x;
    const std::int64_t y = p.y - centre.y;
    return {.x = static_cast<int>((x * unit + y * turn) / radius),
            .y = static_cast<int>((y * unit - x * turn) / radius)};
  }
};

/// The centres of `count` things at a place.
std::vector<Point> centres(Place place, int count) {
  constexpr int near = 25 * percent;
  constexpr int far = one - near;
  constexpr int half = one / 2;
  switch (place) {
    case Place::left:
    case Place::right: {
      const int x = place == Place::left ? near : far;
      if (count == 1) return {{x, half}};
      return {{x, near}, {x, far}};
    }
    case Place::top:
    case Place::bottom: {
      const int y = place == Place::top ? near : far;
      if (count == 1) return {{half, y}};
      return {{near, y}, {far, y}};
    }
    case Place::top_left: return {{near, near}};
    case Place::bottom_right: return {{far, far}};
    case Place::top_right: return {{far, near}};
    case Place::bottom_left: return {{near, far}};
    case Place::middle: return {{half, half}};
    case Place::row:
      if (count == 2) return {{near, half}, {far, half}};
      return {{18 * percent, half}, {half, half}, {82 * percent, half}};
    case Place::column:
      if (count == 2) return {{half, near}, {half, far}};
      return {{half, 18 * percent}, {half, half}, {half, 82 * percent}};
  }
  return {};
}

/// The radius of each thing. Three things in a row have less room.
int radius_of(const Things& things) {
  const int large = things.count == 3 ? 145 : 205;
  const int small = things.count == 3 ? 85 : 105;
  return (things.size == Size::large ? large : small) * one / 1000;
}

std::vector<Thing> placed(const Scene& scene, SplitMix64& rng) {
  std::vector<Thing> all;
  for (const Things& things : scene.things) {
    for (const Point centre : centres(things.place, things.count)) {
      const int radius = radius_of(things);
      const int shade = jitter(14, rng);
      Rgb colour = colours.at(static_cast<std::size_t>(things.colour));
      for (int& channel : colour) channel += shade + jitter(8, rng);
      const int free = 3 * percent;
      all.push_back(
          {.shape = things.shape,
           .centre = {.x = centre.x + jitter(free, rng), .y = centre.y + jitter(free, rng)},
           .radius = radius + jitter(radius / 14, rng),
           .turn = jitter(unit / 6, rng),
           .colour = colour});
    }
  }
  return all;
}

}  // namespace

Image render(const Scene& scene, std::size_t side, std::uint64_t seed) {
  require(side >= 8 && side <= 1024, "side of an image", "8 to 1024", side);
  SplitMix64 rng(seed);
  const GroundPainter ground(scene.ground, rng);
  const std::vector<Thing> things = placed(scene, rng);
  const int exposure = jitter(10, rng);
  const Point light{.x = jitter(22, rng), .y = jitter(22, rng)};

  static constexpr int samples = 4;
  const int across = static_cast<int>(side) * samples;
  const auto middle_of = [&](int sample) { return (2 * sample + 1) * (one / 2) / across; };
  const auto colour_at = [&](Point p) {
    for (const Thing& thing : things) {
      const Point own = thing.own(p);
      if (!is_in(thing.shape, own)) continue;
      Rgb colour = thing.colour;
      for (int& channel : colour) channel -= own.y * 14 / unit;  // lit from above
      return colour;
    }
    return ground.at(p);
  };
  Image image{.height = side, .width = side, .rgb = {}};
  image.rgb.reserve(side * side * 3);
  for (int row = 0; row < across; row += samples) {
    for (int column = 0; column < across; column += samples) {
      Rgb sum{};
      for (int sample = 0; sample < samples * samples; ++sample) {
        const Rgb colour = colour_at(
            {.x = middle_of(column + sample % samples), .y = middle_of(row + sample / samples)});
        for (std::size_t c = 0; c < 3; ++c) sum[c] += std::clamp(colour[c], 0, 255);
      }
      const int lit =
          exposure + (light.x * (2 * column - across) + light.y * (2 * row - across)) / across;
      for (const int channel : sum) {
        const int value = (channel + samples * samples / 2) / (samples * samples) + lit +
                          jitter(4, rng) + jitter(4, rng);
        image.rgb.push_back(static_cast<std::uint8_t>(std::clamp(value, 0, 255)));
      }
    }
  }
  return image;
}

}  // namespace unlearn::pairs
