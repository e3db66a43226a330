// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/protection_plan.hpp"

#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tool/commands/protection_options.hpp"

namespace unlearn::tool {
namespace {

/// The plan that a command line gives.
ProtectionPlan parsed(const std::vector<std::string>& arguments) {
  CLI::App app;
  ProtectionPlan plan;
  add_protection_options(app, plan);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  app.parse(reversed);
  return plan;
}

/// For each option a value that is not its default.
const std::map<std::string, std::string>& other_values() {
  static const std::map<std::string, std::string> values{{"--method", "em"},
                                                         {"--trigger-length", "5"},
                                                         {"--initial-trigger", "the"},
                                                         {"--placement", "anywhere"},
                                                         {"--readable", ""},
                                                         {"--epsilon", "16"},
                                                         {"--noise-step", "2"},
                                                         {"--noise-steps", "3"},
                                                         {"--rounds", "7"},
                                                         {"--trigger-rounds", "2"},
                                                         {"--surrogate-steps", "9"},
                                                         {"--stop-loss", "0.5"},
                                                         {"--candidates", "4"},
                                                         {"--beam", "2"},
                                                         {"--acceptance", "batch"},
                                                         {"--scope", "all"},
                                                         {"--trigger-scope", "image"},
                                                         {"--batch-size", "16"},
                                                         {"--model", "vit-small"},
                                                         {"--size", "64"},
                                                         {"--weights", "a.safetensors"},
                                                         {"--learning-rate", "0.1"},
                                                         {"--surrogate-rounds", "1"},
                                                         {"--surrogate-epochs", "3"},
                                                         {"--loss", "siglip"},
                                                         {"--precision", "single"}};
  return values;
}

/// What describe_options() names.
struct Options {
  std::vector<std::string> flags{};
  std::set<std::string> keys{};

  template <class Value>
  void operator()(const PlanOption& option, const Value& /*value*/) {
    flags.emplace_back(option.flag);
    keys.insert(option.key);
  }
};

TEST(ProtectionPlan, EveryOptionIsInTheSettings) {
  const ProtectionPlan plan;
  Options options;
  describe_options(options, plan);
  EXPECT_EQ(options.keys.size(), options.flags.size());
  EXPECT_EQ(settings_of(plan).size(), options.keys.size());
  ASSERT_EQ(other_values().size(), options.flags.size());
  for (const std::string& flag : options.flags) {
    std::vector<std::string> arguments{flag};
    if (!other_values().at(flag).empty()) arguments.push_back(other_values().at(flag));
    const ProtectionPlan other = parsed(arguments);
    EXPECT_NE(other, plan) << flag;
    // One setting tells the two apart.
    EXPECT_EQ(nlohmann::json::diff(settings_of(plan), settings_of(other)).size(), 1U) << flag;
  }
}

TEST(ProtectionPlan, NothingOnTheCommandLineIsTheDefault) {
  EXPECT_EQ(parsed({}), ProtectionPlan{});
}

TEST(ProtectionPlan, SpellsItsChoicesAsTheCommandLineDoes) {
  const nlohmann::json settings = settings_of(parsed(
      {"--method", "uap", "--acceptance", "batch", "--scope", "row", "--precision", "auto"}));
  EXPECT_EQ(settings.at("method"), "uap");
  EXPECT_EQ(settings.at("acceptance"), "batch");
  EXPECT_EQ(settings.at("scope"), "row");
  EXPECT_EQ(settings.at("trigger_scope"), "row");
  EXPECT_EQ(settings.at("precision"), "auto");
  EXPECT_EQ(settings.at("placement"), "front");
  EXPECT_EQ(settings_of(parsed({"--placement", "back"})).at("placement"), "back");
}

TEST(ProtectionPlan, RefusesOtherValues) {
  using Arguments = std::vector<std::string>;
  for (const Arguments& bad : {Arguments{"--method", "MEM"},
                               {"--method", "0"},
                               {"--acceptance", "all"},
                               {"--scope", "pair"},
                               {"--placement", "middle"},
                               {"--precision", "double"},
                               {"--epsilon", "0"},
                               {"--epsilon", "128"},
                               {"--trigger-length", "33"},
                               {"--noise-steps", "-1"},
                               {"--rounds", "-1"},
                               {"--stop-loss", "-0.1"},
                               {"--batch-size", "1"},
                               {"--size", "0"},
                               {"--learning-rate", "0"},
                               {"--surrogate-epochs", "0"},
                               {"--weights", "a", "--model", "b"},
                               {"--weights", "a", "--size", "32"},
                               {"--weights", "a", "--surrogate-rounds", "1"}}) {
    EXPECT_THROW((void)parsed(bad), CLI::ParseError) << bad[0] << ' ' << bad[1];
  }
}

TEST(ResolvedPlan, HasThePapersNumbers) {
  const ProtectionPlan mem = resolved({});
  EXPECT_EQ(mem.rounds, 20U);
  EXPECT_EQ(mem.trigger_rounds, 5U);
  EXPECT_EQ(mem.surrogate_steps, 200U);
  EXPECT_EQ(mem.trigger_length, 3U);
  EXPECT_EQ(mem.surrogate_epochs, 0U);
  const ProtectionPlan em = resolved({.method = Method::em});
  EXPECT_EQ(em.rounds, 5U);
  EXPECT_EQ(em.trigger_rounds, 0U);
  EXPECT_EQ(em.surrogate_steps, 50U);
  EXPECT_EQ(em.trigger_length, 0U);
  const ProtectionPlan uap = resolved({.method = Method::uap, .surrogate_steps = 7});
  EXPECT_EQ(uap.rounds, 1U);
  EXPECT_EQ(uap.surrogate_steps, 0U);
  EXPECT_EQ(uap.surrogate_epochs, 10U);
}

TEST(ResolvedPlan, KeepsWhatWasAskedFor) {
  const ProtectionPlan plan =
      resolved({.rounds = 3, .trigger_rounds = 1, .surrogate_steps = 4, .candidates = 2});
  EXPECT_EQ(plan.rounds, 3U);
  EXPECT_EQ(plan.trigger_rounds, 1U);
  EXPECT_EQ(plan.surrogate_steps, 4U);
  EXPECT_EQ(plan.candidates, 2U);
}

}  // namespace
}  // namespace unlearn::tool
