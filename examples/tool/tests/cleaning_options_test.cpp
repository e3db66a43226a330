// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/cleaning_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace unlearn::tool {
namespace {

/// The names of the cleanings that a command line asks for.
std::string asked_for(std::vector<std::string> arguments) {
  CLI::App command;
  CleaningOptions options;
  add_cleaning_options(command, options);
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  command.parse(std::move(arguments));
  return pairs::names_of(cleaning_of(options));
}

TEST(CleaningOptions, MakeTheStagesInAFixedOrder) {
  EXPECT_EQ(asked_for({}), "none");
  EXPECT_EQ(asked_for({"--random-crop", "--grayscale", "--jpeg", "75", "--strip-words", "3"}),
            "strip-words 3, jpeg 75, grayscale, random-crop 0.5 to 1");
  EXPECT_THROW((void)asked_for({"--jpeg", "0"}), CLI::ValidationError);
  EXPECT_THROW((void)asked_for({"--strip-words", "-1"}), CLI::ParseError);
}

}  // namespace
}  // namespace unlearn::tool
