// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using testing::message_of;

using Tokens = std::vector<Token>;

/// The least that is a tokenizer: words "a", "b" and "c" of one letter; the parts "A", which needs
/// another token behind it, and "?", which reads as "c".
struct Letters {
  static constexpr std::string_view texts = "abcA?";

  std::vector<Token> encode(std::string_view text) const {
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == ' ') continue;
      const bool alone = i + 1 == text.size() || text[i + 1] == ' ';
      const char letter = text[i] == '?' ? 'c' : text[i] == 'A' && alone ? 'a' : text[i];
      tokens.push_back(static_cast<Token>(texts.find(letter)));
    }
    return tokens;
  }
  std::string decode(std::span<const Token> tokens) const {
    std::string text;
    for (const Token token : tokens) {
      text += texts.at(static_cast<std::size_t>(token));
      if (token != 3) text += ' ';
    }
    return text;
  }
  Token start() const { return 5; }
  Token end() const { return 6; }
  std::size_t vocabulary() const { return 7; }
  bool is_special(Token token) const { return token >= 5; }
  bool is_whole_word(Token token) const { return token < 3; }
};
static_assert(Tokenizer<Letters>);

struct CannotDecode : Letters {
  std::string decode(std::span<const Token> tokens) const = delete;
};
static_assert(!Tokenizer<CannotDecode>);

struct ChangesWhenItEncodes : Letters {
  std::vector<Token> encode(std::string_view text) { return Letters::encode(text); }
};
static_assert(!Tokenizer<ChangesWhenItEncodes>);

TEST(CaptionTokens, StandBetweenStartAndEnd) {
  EXPECT_THAT(caption_tokens(Letters(), "a b c", 77), ElementsAre(5, 0, 1, 2, 6));
  EXPECT_THAT(caption_tokens(Letters(), "", 77), ElementsAre(5, 6));
}

TEST(CaptionTokens, KeepTheEndWhenTheTextIsTooLong) {
  EXPECT_THAT(caption_tokens(Letters(), "a b c", 5), ElementsAre(5, 0, 1, 2, 6));
  EXPECT_THAT(caption_tokens(Letters(), "a b c", 4), ElementsAre(5, 0, 1, 6));
  EXPECT_THAT(caption_tokens(Letters(), "a b c", 2), ElementsAre(5, 6));
}

TEST(CaptionTokens, NeedRoomForStartAndEnd) {
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)caption_tokens(Letters(), "a", 1); }),
            "context length of a caption: expected at least 2, for start and end, got 1");
}

TEST(RoundTrips, WhenTheTextHasTheTriggersTokensAndThenItsOwn) {
  const Letters letters;
  EXPECT_EQ(with_trigger(letters, Tokens{1, 0}, "c a"), "b a c a");
  EXPECT_TRUE(round_trips(letters, Tokens{1, 0}, "c a"));
  EXPECT_TRUE(round_trips(letters, Tokens{}, ""));
  EXPECT_TRUE(round_trips(letters, Tokens{3}, "b"));  // not alone, but before this caption
  EXPECT_FALSE(round_trips(letters, Tokens{3}, ""));
  EXPECT_FALSE(round_trips(letters, Tokens{4}, "b"));
}

TEST(RoundTrips, AlsoForACaptionGivenByTokens) {
  const Letters letters;
  EXPECT_TRUE(round_trips(letters, Tokens{1}, Tokens{2, 0}));
  EXPECT_TRUE(round_trips(letters, Tokens{3}, Tokens{2}));
  EXPECT_FALSE(round_trips(letters, Tokens{4}, Tokens{2}));
  EXPECT_FALSE(round_trips(letters, Tokens{1}, Tokens{4}));  // the caption's own do not survive
}

TEST(Unpublishable, AreSpecialIdsAndThoseThatDoNotComeBackAlone) {
  EXPECT_THAT(unpublishable(Letters()), ElementsAre(3, 4, 5, 6));
}

}  // namespace
}  // namespace unlearn::pairs
