// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/json_cursor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using unlearn::testing::message_of;

/// What the message says behind the file's name, of a reading that fails.
template <class Reading>
std::string complaint(const json& value, const Reading& read) {
  const std::string file = "a.json";
  const std::string message = message_of<FileError>([&] { read(JsonCursor(value, file)); });
  const std::string start = "file 'a.json', ";
  EXPECT_TRUE(message.starts_with(start)) << message;
  return message.substr(start.size());
}

TEST(JsonCursor, ReadsEachType) {
  const json value{{"text", "a"}, {"flag", true},   {"integer", -3},       {"count", 7},
                   {"real", 0.5}, {"list", {1, 2}}, {"record", {{"x", 1}}}};
  const std::string file = "a.json";
  const JsonCursor top(value, file);
  EXPECT_EQ(top["text"].text(), "a");
  EXPECT_TRUE(top["flag"].boolean());
  EXPECT_EQ(top["integer"].integer(), -3);
  EXPECT_EQ(top["count"].whole_number(7, 7), 7U);
  EXPECT_EQ(top["real"].number(0.5, 0.5), 0.5);
  EXPECT_EQ(top["count"].number(), 7);
  ASSERT_EQ(top["list"].elements().size(), 2U);
  EXPECT_EQ(top["list"].elements()[1].place(), "/list/1");
  ASSERT_EQ(top["record"].members().size(), 1U);
  EXPECT_EQ(top["record"].members()[0].first, "x");
  EXPECT_EQ(top["record"].members()[0].second.place(), "/record/x");
  EXPECT_TRUE(top.has("text"));
  EXPECT_FALSE(top.has("none"));
  EXPECT_FALSE(top["text"].has("none"));
  EXPECT_FALSE(top.find("none"));
}

TEST(JsonCursor, ShowsTheValueOfAnotherType) {
  EXPECT_EQ(complaint(7, [](const JsonCursor& c) { (void)c.text(); }),
            "top level: expected a string, got 7");
  EXPECT_EQ(complaint({{"a", {1, "x"}}},
                      [](const JsonCursor& c) { (void)c["a"].elements()[1].number(); }),
            "/a/1: expected a number, got \"x\"");
  EXPECT_EQ(complaint(nullptr, [](const JsonCursor& c) { (void)c.boolean(); }),
            "top level: expected true or false, got null");
  EXPECT_EQ(complaint(json::array(), [](const JsonCursor& c) { (void)c["a"]; }),
            "top level: expected an object, got array");
  EXPECT_EQ(complaint("x", [](const JsonCursor& c) { (void)c.find("a"); }),
            "top level: expected an object, got \"x\"");
  EXPECT_EQ(complaint(json::object(), [](const JsonCursor& c) { (void)c.elements(); }),
            "top level: expected an array, got object");
  EXPECT_EQ(complaint(json::array(), [](const JsonCursor& c) { (void)c.members(); }),
            "top level: expected an object, got array");
}

TEST(JsonCursor, NamesWhatIsAbsent) {
  EXPECT_EQ(complaint(json::object(), [](const JsonCursor& c) { (void)c["a"]; }),
            "/a: expected a value, got nothing");
  EXPECT_EQ(complaint({{"a", json::object()}}, [](const JsonCursor& c) { (void)c["a"]["b"]; }),
            "/a/b: expected a value, got nothing");
}

TEST(JsonCursor, NamesTheRange) {
  const auto whole = [](const JsonCursor& c) { (void)c.whole_number(1, 9); };
  for (const json& bad : {json(0), json(10), json(-1), json(1.5)}) {
    EXPECT_EQ(complaint(bad, whole), "top level: expected an integer, 1 to 9, got " + bad.dump());
  }
  EXPECT_EQ(complaint(-1, [](const JsonCursor& c) { (void)c.whole_number(); }),
            "top level: expected an integer, 0 or more, got -1");
  EXPECT_EQ(complaint(1.5, [](const JsonCursor& c) { (void)c.integer(); }),
            "top level: expected an integer, got 1.5");
  EXPECT_EQ(complaint(18446744073709551615U, [](const JsonCursor& c) { (void)c.integer(); }),
            "top level: expected an integer, got 18446744073709551615");
  EXPECT_EQ(complaint(101, [](const JsonCursor& c) { (void)c.number(0, 100); }),
            "top level: expected a number, 0 to 100, got 101");
  EXPECT_EQ(complaint(-2, [](const JsonCursor& c) { (void)c.number(0); }),
            "top level: expected a number, 0 or more, got -2");
}

TEST(JsonCursor, TakesOnlyDigestsInOneSpelling) {
  const auto digest = [](const JsonCursor& c) { (void)c.sha256(); };
  for (const std::string& bad :
       {std::string(63, 'a'), std::string(64, 'A'), std::string(64, 'g')}) {
    EXPECT_THAT(complaint(bad, digest), HasSubstr("expected 64 hexadecimal digits in lower case"));
  }
}

TEST(JsonCursor, EscapesNamesInThePlace) {
  const auto missing = [](const char* key) {
    return complaint(json::object(), [&](const JsonCursor& c) { (void)c[key]; });
  };
  EXPECT_THAT(missing("a/b~c"), HasSubstr("/a~1b~0c: "));
  EXPECT_THAT(missing("a\nb"), HasSubstr("/\"a\\nb\": "));
}

TEST(JsonFile, IsReadWithinLimits) {
  const unlearn::testing::TemporaryDirectory directory;
  const std::string path = directory / "a.json";
  std::ofstream(path) << R"({"a": [1]})";
  EXPECT_EQ(JsonFile(path).top()["a"].elements()[0].integer(), 1);
  EXPECT_THAT(message_of<FileError>([&] { JsonFile(path, {.bytes = 9}); }),
              HasSubstr("a.json', size in bytes: expected at most 9, got 10"));
  EXPECT_THAT(message_of<FileError>([&] { JsonFile(path, {.depth = 1}); }),
              HasSubstr("a.json', contents: expected nesting at most 1 deep, got more"));
  EXPECT_THAT(message_of<FileError>([&] { JsonFile(directory / "none"); }),
              HasSubstr("none': expected a regular file, got No such file or directory"));
  std::ofstream(path) << "";
  EXPECT_THAT(message_of<FileError>([&] { JsonFile{path}; }),
              HasSubstr("a.json', contents: expected JSON, got something else"));
}

}  // namespace
}  // namespace unlearn::pairs
