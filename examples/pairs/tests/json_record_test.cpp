// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/json_record.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {

// An enumeration and records as others have them: what they need is found by their namespace.
namespace archetype {

enum class Colour : std::uint8_t { red, green };

constexpr std::array<EnumName<Colour>, 2> enum_names(Colour /*like*/) {
  return {{{Colour::red, "red"}, {Colour::green, "green"}}};
}

struct Point {
  std::size_t x = 0;
  double y = 0;

  friend bool operator==(const Point&, const Point&) = default;
};

template <class Archive, class Any>
  requires std::same_as<std::remove_const_t<Any>, Point>
void describe(Archive& archive, Any& point) {
  auto& [x, y] = point;
  archive("x", x, [](const JsonCursor& value) { (void)value.whole_number(1, 9); });
  archive("y", y);
}

struct Drawing {
  std::string name{};
  bool done = false;
  Colour colour = Colour::red;
  std::uint8_t depth = 0;
  std::vector<Point> points{};
  std::map<std::string, std::string> digests{};
  std::optional<double> loss{};
  nlohmann::json more{};

  friend bool operator==(const Drawing&, const Drawing&) = default;
};

template <class Archive, class Any>
  requires std::same_as<std::remove_const_t<Any>, Drawing>
void describe(Archive& archive, Any& drawing) {
  auto& [name, done, colour, depth, points, digests, loss, more] = drawing;
  archive("name", name);
  archive.object("inner", [&](auto& inner) {
    inner("done", done);
    inner("colour", colour);
    inner.others(more);
  });
  archive("depth", depth);
  archive("points", points);
  archive("digests", digests);
  archive("loss", loss);
}

}  // namespace archetype

namespace {

using archetype::Colour;
using archetype::Drawing;
using nlohmann::json;
using unlearn::testing::message_of;

const Drawing some{.name = "a",
                   .done = true,
                   .colour = Colour::green,
                   .depth = 255,
                   .points = {{1, 0.5}, {2, -1e-30}},
                   .digests = {{"f", "0"}},
                   .loss = 0.25,
                   .more = {{"other", {1, 2}}}};

Drawing back(const json& value) {
  const std::string file = "a.json";
  return read_record<Drawing>(JsonCursor(value, file));
}

/// The message about `some` with another value at a place.
std::string complaint_with(const char* pointer, const json& value) {
  json changed = json_of_record(some);
  changed[json::json_pointer(pointer)] = value;
  return message_of<FileError>([&] { (void)back(changed); });
}

TEST(JsonRecord, GivesBackWhatWasWritten) {
  EXPECT_EQ(back(json_of_record(some)), some);
  EXPECT_EQ(back(json::parse(json_of_record(some).dump())), some);
  EXPECT_EQ(json_of_record(some).at("inner"),
            (json{{"done", true}, {"colour", "green"}, {"other", {1, 2}}}));
}

TEST(JsonRecord, LeavesOutWhatIsAbsent) {
  Drawing without = some;
  without.loss.reset();
  EXPECT_FALSE(json_of_record(without).contains("loss"));
  EXPECT_EQ(back(json_of_record(without)), without);
  json null = json_of_record(some);
  null["loss"] = nullptr;
  EXPECT_EQ(back(null), without);
}

TEST(JsonRecord, NamesWhatIsWrong) {
  const std::string file = "file 'a.json', ";
  EXPECT_EQ(complaint_with("/inner/colour", "blue"),
            file + "/inner/colour: expected \"red\" or \"green\", got \"blue\"");
  EXPECT_EQ(complaint_with("/depth", 256), file + "/depth: expected an integer, 0 to 255, got 256");
  EXPECT_EQ(complaint_with("/points/1/x", 10),
            file + "/points/1/x: expected an integer, 1 to 9, got 10");
  EXPECT_EQ(complaint_with("/points/1/y", "x"), file + "/points/1/y: expected a number, got \"x\"");
  EXPECT_EQ(complaint_with("/points", 1), file + "/points: expected an array, got 1");
  EXPECT_EQ(complaint_with("/digests/f", 1), file + "/digests/f: expected a string, got 1");
  EXPECT_EQ(complaint_with("/inner", nullptr), file + "/inner: expected an object, got null");
  json lacking = json_of_record(some);
  lacking.erase("name");
  EXPECT_EQ(message_of<FileError>([&] { (void)back(lacking); }),
            file + "/name: expected a value, got nothing");
}

}  // namespace
}  // namespace unlearn::pairs
