// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/json_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using nlohmann::json;
using testing::message_of;

std::string message_for(const std::string& text, std::size_t deepest = 3) {
  return message_of<FileError>([&] { (void)parse_json(text, "x", "header", deepest); });
}

TEST(ParseJson, GivesTheValue) {
  EXPECT_EQ(parse_json(R"( {"a": [1, {"a": 2}]} )", "x", "header", 3),
            (json{{"a", {1, {{"a", 2}}}}}));
  EXPECT_EQ(parse_json("7", "x", "header", 0), 7);
}

TEST(ParseJson, NamesWhereItIsNoJson) {
  EXPECT_EQ(message_for(""), "file 'x', header: expected JSON, got something else at its byte 1");
  EXPECT_EQ(message_for("[1,]"),
            "file 'x', header: expected JSON, got something else at its byte 4");
  EXPECT_EQ(message_for("1e999"),
            "file 'x', header: expected JSON, got a number that no double holds");
}

TEST(ParseJson, GoesNoDeeperThanItMay) {
  const std::string message = "file 'x', header: expected nesting at most 2 deep, got more";
  EXPECT_EQ(parse_json("[[],{}]", "x", "header", 2).size(), 2U);
  EXPECT_EQ(message_for("[[],[{}]]", 2), message);
  EXPECT_EQ(message_for(std::string(1'000'000, '['), 2), message);
}

TEST(ParseJson, TakesANameOnceInAnObject) {
  EXPECT_NO_THROW((void)parse_json(R"([{"a": 1}, {"a": {"a": 2}}])", "x", "header", 3));
  EXPECT_EQ(message_for(R"({"a": {}, "a": {}})"),
            "file 'x', header: expected each name once in an object, got \"a\" again");
}

TEST(JsonQuoted, IsPrintableAndShort) {
  EXPECT_EQ(json_quoted("dog"), R"("dog")");
  EXPECT_EQ(json_quoted("a\"\n\xFF\u00E9"), R"("a\"\n\ufffd\u00e9")");
  EXPECT_EQ(json_quoted(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
  EXPECT_EQ(json_quoted(std::string(65, 'x')), "\"" + std::string(64, 'x') + "\"...");
}

}  // namespace
}  // namespace unlearn::pairs
