// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/token_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::message_of;

using Tokens = std::vector<Token>;

Tokens allowed_by(const TokenFilter& filter) {
  Tokens allowed;
  for (std::size_t v = 0; v < filter.vocabulary(); ++v) {
    if (filter.allows(static_cast<Token>(v))) allowed.push_back(static_cast<Token>(v));
  }
  EXPECT_EQ(filter.count(), allowed.size());
  return allowed;
}

TEST(TokenFilter, AllowsEveryTokenAtFirst) {
  for (const std::size_t vocabulary : {0U, 1U, 63U, 64U, 65U, 128U, 1000U}) {
    const TokenFilter filter(vocabulary);
    EXPECT_EQ(filter.vocabulary(), vocabulary);
    EXPECT_EQ(allowed_by(filter).size(), vocabulary);
  }
}

TEST(TokenFilter, OnlyAllowsTheGivenTokens) {
  EXPECT_THAT(allowed_by(TokenFilter::only(130, Tokens{129, 0, 64, 63, 64})),
              ElementsAre(0, 63, 64, 129));
  EXPECT_THAT(allowed_by(TokenFilter::only(130, {})), IsEmpty());
}

TEST(TokenFilter, IsTheSetThatItWasMade) {
  SplitMix64 rng(1);
  TokenFilter filter(200);
  std::set<Token> expected;
  for (Token v = 0; v < 200; ++v) expected.insert(v);
  for (int change = 0; change < 2000; ++change) {
    const auto token = static_cast<Token>(uniform_below(200, rng));
    if (rng() % 3 == 0) {
      filter.allow(token);
      expected.insert(token);
    } else {
      filter.deny(token);
      expected.erase(token);
    }
    ASSERT_EQ(allowed_by(filter), Tokens(expected.begin(), expected.end()));
  }
}

TEST(TokenFilter, DeniesAListOfTokens) {
  TokenFilter filter(5);
  filter.deny(Tokens{4, 1, 4});
  EXPECT_THAT(allowed_by(filter), ElementsAre(0, 2, 3));
}

TEST(TokenFilter, NamesAnIdOutsideTheVocabulary) {
  TokenFilter filter(70);
  const std::string message = "token id given to a TokenFilter: expected 0 to 70 (exclusive), got ";
  for (const Token token : {70, 127, -1}) {
    const std::string expected = message + std::to_string(token);
    EXPECT_EQ(message_of<InvalidArgument>([&] { filter.allow(token); }), expected);
    EXPECT_EQ(message_of<InvalidArgument>([&] { filter.deny(token); }), expected);
    EXPECT_EQ(message_of<InvalidArgument>([&] { filter.deny(Tokens{token}); }), expected);
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)TokenFilter::only(70, Tokens{token}); }),
              expected);
  }
  EXPECT_EQ(filter.count(), 70U);
}

TEST(TokenFilter, RefusesAVocabularyThatATokenCannotNumber) {
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)TokenFilter(std::size_t{1} << 31U); }),
            "vocabulary of a TokenFilter: expected at most 2147483647, got 2147483648");
  EXPECT_THROW((void)TokenFilter(std::numeric_limits<std::size_t>::max()), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
