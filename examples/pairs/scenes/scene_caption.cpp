// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "pairs/scenes/scene.hpp"
#include "pairs/scenes/scene_colours.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

using std::string_view_literals::operator""sv;
using Three = std::array<std::string_view, 3>;

// The phrases for each value, in the order of its enumeration. No two values share a phrase.
constexpr std::array<Three, ground_count> ground_words{{
    {"on the grass", "on a lawn", "in a meadow"},
    {"on the sand", "on a beach", "on sandy ground"},
    {"in the snow", "on snowy ground", "on fresh snow"},
    {"on the water", "on the sea", "above the waves"},
    {"at night", "in the night sky", "in the dark"},
    {"on a brick wall", "in front of a brick wall", "before a wall of bricks"},
    {"on a wooden table", "on wooden boards", "on a wooden floor"},
    {"on the road", "on the street", "on the asphalt"},
    {"at sunset", "in the evening sky", "at dusk"},
    {"on a checkered cloth", "on a tablecloth", "on a checkered tablecloth"},
}};
constexpr std::array<Three, 11> place_words{{
    {"on the left", "at the left", "on the left side"},
    {"on the right", "at the right", "on the right side"},
    {"at the top", "near the top", "in the upper part"},
    {"at the bottom", "near the bottom", "in the lower part"},
    {"at the top left", "in the top left corner", "in the upper left corner"},
    {"at the bottom right", "in the bottom right corner", "in the lower right corner"},
    {"at the top right", "in the top right corner", "in the upper right corner"},
    {"at the bottom left", "in the bottom left corner", "in the lower left corner"},
    {"in the middle", "in the center", "at the center"},
    {"side by side", "in a row", "next to each other"},
    {"one above the other", "in a column", "on top of each other"},
}};
constexpr std::array<Three, 2> size_words{{{"small", "little", "tiny"}, {"large", "big", "huge"}}};
constexpr std::array<std::array<std::string_view, 2>, colour_count> colour_words{
    {{"red", "red"},
     {"orange", "orange"},
     {"yellow", "yellow"},
     {"green", "green"},
     {"blue", "blue"},
     {"purple", "violet"},
     {"pink", "pink"},
     {"white", "white"},
     {"black", "black"}}};
/// The names of each shape: for one thing, then for several.
constexpr std::array<std::array<std::array<std::string_view, 2>, 2>, shape_count> shape_words{
    {{{{"circle", "disc"}, {"circles", "discs"}}},
     {{{"square", "box"}, {"squares", "boxes"}}},
     {{{"triangle", "triangle"}, {"triangles", "triangles"}}},
     {{{"star", "star"}, {"stars", "stars"}}},
     {{{"ring", "hoop"}, {"rings", "hoops"}}},
     {{{"cross", "cross"}, {"crosses", "crosses"}}}}};

/// Draws words at random.
class Speaker {
 public:
  explicit Speaker(std::mt19937_64& rng) : rng_(&rng) {}

  std::size_t below(std::size_t bound) { return uniform_below(bound, *rng_); }

  template <std::size_t N>
  std::string_view any(const std::array<std::string_view, N>& ways) {
    return ways.at(below(N));
  }

  template <class Table, class Enum>
  std::string_view word_for(const Table& words, Enum value) {
    return any(words.at(static_cast<std::size_t>(value)));
  }

 private:
  std::mt19937_64* rng_;
};

/// Joins the parts that are not empty with spaces.
std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    if (!text.empty() && !part.empty()) text += ' ';
    text += part;
  }
  return text;
}

std::string with_article(std::string words) {
  return words.insert(0, "aeiou"sv.find(words.front()) == std::string_view::npos ? "a " : "an ");
}

/// A name for the things, such as "two small red circles".
std::string name(const Things& things, Speaker& say) {
  const bool single = things.count == 1;
  const std::string_view size = say.word_for(size_words, things.size);
  const std::string_view colour = say.word_for(colour_words, things.colour);
  const std::string_view shape =
      say.any(shape_words.at(static_cast<std::size_t>(things.shape)).at(single ? 0 : 1));
  std::string named;
  switch (say.below(4)) {
    case 0: named = joined({size, shape, "in", colour}); break;
    case 1: named = joined({colour, size, shape}); break;
    default: named = joined({size, colour, shape});
  }
  if (single) return say.below(5) == 0 ? joined({"one", named}) : with_article(named);
  if (things.count == 2)
    return joined({say.any(std::array{"two"sv, "two"sv, "a pair of"sv}), named});
  return joined({say.any(std::array{"three"sv, "three"sv, "a group of three"sv}), named});
}

/// The position of a thing relative to the one at the opposite place; empty for corners.
std::string_view relation(Place place, Speaker& say) {
  switch (place) {
    case Place::left: return say.any(std::array{"left of"sv, "to the left of"sv});
    case Place::right: return say.any(std::array{"right of"sv, "to the right of"sv});
    case Place::top: return say.any(std::array{"above"sv, "over"sv});
    case Place::bottom: return say.any(std::array{"below"sv, "under"sv});
    default: return {};
  }
}

std::string_view there_is(const Things& things) {
  return things.count == 1 ? "there is" : "there are";
}

std::string about_one(const Scene& scene, Speaker& say) {
  const Things& things = scene.things.front();
  const std::string what = name(things, say);
  const std::string_view where = say.word_for(place_words, things.place);
  const std::string_view ground = say.word_for(ground_words, scene.ground);
  switch (say.below(7)) {
    case 0: return joined({what, where, ground});
    case 1: return joined({what, ground, ",", where});
    case 2: return joined({there_is(things), what, where, ground});
    case 3: return joined({ground, there_is(things), what, where});
    case 4: return joined({where, there_is(things), what, ground});
    case 5:
      return joined({say.any(std::array{"a picture of"sv, "a photo of"sv}), what, where, ground});
    default: return joined({what, "can be seen", where, ground});
  }
}

std::string about_two(const Scene& scene, Speaker& say) {
  const std::size_t first = say.below(2);
  const Things& a = scene.things[first];
  const Things& b = scene.things[1 - first];
  const std::string what = name(a, say);
  const std::string other = name(b, say);
  const std::string_view where = say.word_for(place_words, a.place);
  const std::string_view opposite = say.word_for(place_words, b.place);
  const std::string_view ground = say.word_for(ground_words, scene.ground);
  const std::string_view between = relation(a.place, say);
  switch (say.below(6)) {
    case 0: return joined({what, where, "and", other, opposite, ground});
    case 1: return joined({ground, there_is(a), what, where, "and", other, opposite});
    case 2: return joined({there_is(a), what, where, "and", other, opposite, ground});
    case 3:
      return joined({say.any(std::array{"a picture of"sv, "a photo of"sv}), what, where, "with",
                     other, opposite, ground});
    case 4:
      if (!between.empty()) return joined({what, between, other, ground});
      [[fallthrough]];
    default: return joined({what, where, ",", other, opposite, ",", ground});
  }
}

/// One of a thousand names. Captions of photos have many words that do not describe the photo, and
/// triggers are made of such words.
std::string painter(Speaker& say) {
  constexpr std::string_view consonants = "bdfgklmnprstvz";
  constexpr std::string_view vowels = "aeiou";
  constexpr std::size_t syllables = consonants.size() * vowels.size();
  constexpr std::size_t names = 1000;
  const std::size_t number = say.below(names);
  std::string name;
  // 70 is coprime to 31 and to 17, so no two numbers have both syllables in common.
  for (const std::size_t syllable :
       {number % syllables, (number / syllables * 31 + number * 17) % syllables}) {
    name += consonants[syllable / vowels.size()];
    name += vowels[syllable % vowels.size()];
  }
  return name;
}

}  // namespace

std::string random_caption(const Scene& scene, std::mt19937_64& rng) {
  Speaker say(rng);
  std::string caption = scene.things.size() == 1 ? about_one(scene, say) : about_two(scene, say);
  for (const std::string_view part : {" , by ", " "}) caption.append(part).append(painter(say));
  return caption.append(" .");
}

}  // namespace unlearn::pairs
