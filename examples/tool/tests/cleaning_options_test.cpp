// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/cleaning_options.hpp"

#include <gtest/gtest.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace unlearn::tool {
namespace {

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

TEST(CleaningOptions, EachKindHasAnOption) {
  CLI::App command;
  CleaningOptions options;
  add_cleaning_options(command, options);
  for (const pairs::CleaningKind& kind : pairs::cleaning_kinds()) {
    const CLI::Option* const option = command.get_option_no_throw("--" + std::string(kind.name));
    ASSERT_NE(option, nullptr) << kind.name;
    EXPECT_EQ(option->get_description(), kind.help);
    EXPECT_EQ(option->get_expected_max() > 0, kind.has_number()) << kind.name;
  }
}

}  // namespace
}  // namespace unlearn::tool
