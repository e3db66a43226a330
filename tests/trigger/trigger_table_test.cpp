// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/trigger_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "message_of.hpp"

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::message_of;

using Tokens = std::vector<Token>;

TEST(TriggerTable, GivesEveryGroupTheInitialTrigger) {
  const TriggerTable table(3, Tokens{7, 8});
  EXPECT_EQ(table.groups(), 3U);
  EXPECT_EQ(table.length(), 2U);
  EXPECT_THAT(table.view().flat(), ElementsAre(7, 8, 7, 8, 7, 8));
}

TEST(TriggerTable, TakesTokensAsTheyAre) {
  TriggerTable table(2, 3, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(std::as_const(table)[1], ElementsAre(4, 5, 6));
  table[0][2] = 9;
  EXPECT_THAT(table.view().row(0), ElementsAre(1, 2, 9));
  EXPECT_EQ(table.view().extents(), (std::array<std::size_t, 2>{2, 3}));
}

TEST(TriggerTable, MayHoldNoTokensAndNoGroups) {
  const TriggerTable no_tokens(4, Tokens{});
  EXPECT_EQ(no_tokens.groups(), 4U);
  EXPECT_EQ(no_tokens.length(), 0U);
  EXPECT_TRUE(no_tokens[3].empty());
  EXPECT_EQ(TriggerTable().groups(), 0U);
  EXPECT_EQ(TriggerTable(0, Tokens{1, 2}).length(), 2U);
}

TEST(TriggerTable, EqualsATableOfTheSameShapeAndTokens) {
  const TriggerTable table(2, 2, {1, 2, 3, 4});
  EXPECT_EQ(table, TriggerTable(2, 2, {1, 2, 3, 4}));
  EXPECT_NE(table, TriggerTable(2, 2, {1, 2, 3, 5}));
  EXPECT_NE(table, TriggerTable(1, 4, {1, 2, 3, 4}));
}

TEST(TriggerTable, IsAValue) {
  const TriggerTable table(2, Tokens{1, 2});
  TriggerTable copy = table;
  copy[1][0] = 5;
  EXPECT_THAT(table[1], ElementsAre(1, 2));
}

TEST(TriggerTable, DrawsAllowedTokensUniformly) {
  std::mt19937_64 rng(1);
  const Tokens allowed{3, 64, 65, 99};
  const TriggerTable table = TriggerTable::random(2000, 2, TokenFilter::only(100, allowed), rng);
  EXPECT_EQ(table.groups(), 2000U);
  EXPECT_EQ(table.length(), 2U);
  for (std::size_t position = 0; position < 2; ++position) {
    std::array<int, 4> counts{};
    for (std::size_t g = 0; g < table.groups(); ++g) {
      const auto found = std::ranges::find(allowed, table[g][position]);
      ASSERT_NE(found, allowed.end());
      ++counts.at(static_cast<std::size_t>(found - allowed.begin()));
    }
    // Expected: 500, with a standard deviation of 19.
    EXPECT_THAT(counts, Each(::testing::AllOf(::testing::Gt(420), ::testing::Lt(580))));
  }
}

TEST(TriggerTable, DrawsTheSameFromTheSameGenerator) {
  const auto draw = [](std::uint64_t seed) {
    std::mt19937_64 rng(seed);
    return TriggerTable::random(5, 3, TokenFilter(1000), rng);
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  std::mt19937_64 rng(1);
  (void)TriggerTable::random(5, 3, TokenFilter(1000), rng);
  EXPECT_NE(TriggerTable::random(5, 3, TokenFilter(1000), rng), draw(1)) << "it is drawn on";
}

TEST(TriggerTable, NamesWhatIsWrong) {
  EXPECT_EQ(message_of<InvalidArgument>([] { TriggerTable(2, 3, Tokens(5)); }),
            "tokens of a trigger table: expected 6, got 5");
  std::mt19937_64 rng(1);
  const TokenFilter none = TokenFilter::only(10, {});
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)TriggerTable::random(2, 3, none, rng); }),
            "tokens that the filter of random triggers allows: expected at least 1, got 0");
  EXPECT_NO_THROW((void)TriggerTable::random(2, 0, none, rng)) << "nothing is drawn";
}

TEST(TriggerTable, RefusesMoreGroupsThanCanBe) {
  constexpr std::size_t index = std::size_t{1} << 32U;
  const std::string groups = "groups of a trigger table: expected at most ";
  EXPECT_THAT(message_of<InvalidArgument>([] { TriggerTable(index, Tokens{}); }),
              ::testing::StartsWith(groups + "2^32 - 1"));
  constexpr std::size_t long_trigger = std::size_t{1} << 62U;
  EXPECT_EQ(message_of<InvalidArgument>([] { TriggerTable(4, long_trigger, {}); }),
            groups + "0, got 4")
      << "4 times that is 0";
}

TEST(RequireInVocabulary, NamesTheTriggerThePositionTheTokenAndTheVocabulary) {
  TriggerTable table(3, 2, {0, 1, 2, 3, 4, 9});
  EXPECT_NO_THROW(require_in_vocabulary(table, 10));
  EXPECT_NO_THROW(require_in_vocabulary(TriggerTable(5, Tokens{}), 0));
  EXPECT_EQ(message_of<InvalidArgument>([&] { require_in_vocabulary(table, 9); }),
            "token 1 of trigger 2: expected below the model's vocabulary of 9, and not negative, "
            "got 9");
  table[1][0] = Token{-1};
  EXPECT_EQ(message_of<InvalidArgument>([&] { require_in_vocabulary(table, 10); }),
            "token 0 of trigger 1: expected below the model's vocabulary of 10, and not negative, "
            "got -1");
}

}  // namespace
}  // namespace unlearn
