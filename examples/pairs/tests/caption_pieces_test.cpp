// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/caption_pieces.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::message_of;

using Pieces = std::vector<std::string>;

std::string spaced(const Pieces& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece + " ";
  return text;
}

TEST(CaptionPieces, AreWordsDigitsAndRunsOfPunctuation) {
  EXPECT_THAT(caption_pieces("Two dogs, 12 cats..."),
              ElementsAre("two", "dogs", ",", "1", "2", "cats", "..."));
  EXPECT_THAT(caption_pieces("e-mail: a_b@c.org?!"),
              ElementsAre("e", "-", "mail", ":", "a", "_", "b", "@", "c", ".", "org", "?!"));
  EXPECT_THAT(caption_pieces("日本語½Ⅷ²"), ElementsAre("日本語", "½", "ⅷ", "²"));
  EXPECT_THAT(caption_pieces(""), IsEmpty());
  EXPECT_THAT(caption_pieces(" \t\r\n"), IsEmpty());
}

TEST(CaptionPieces, KeepEnglishShortForms) {
  EXPECT_THAT(caption_pieces("We'll don't it's I'M they'VE you're he'd"),
              ElementsAre("we", "'ll", "don", "'t", "it", "'s", "i", "'m", "they", "'ve", "you",
                          "'re", "he", "'d"));
  // Punctuation that begins earlier takes the apostrophe.
  EXPECT_THAT(caption_pieces("''s 'stop' .'t"),
              ElementsAre("''", "s", "'s", "top", "'", ".'", "t"));
}

TEST(CaptionPieces, AreInLowerCaseOfNoLanguage) {
  EXPECT_THAT(caption_pieces("ÀÉÎ ẞ Ǆ"), ElementsAre("àéî", "ß", "ǆ"));
  EXPECT_THAT(caption_pieces("ΌΣΟΣ ΣΑΣ, Σ"), ElementsAre("όσος", "σας", ",", "σ"));
  // A combining dot, no letter, remains.
  EXPECT_THAT(caption_pieces("İ"), ElementsAre("i", "\u0307"));
}

TEST(CaptionPieces, HtmlIsUndoneTwice) {
  EXPECT_THAT(caption_pieces("&lt;b&gt; &amp;lt; &amp;amp;lt;"),
              ElementsAre("<", "b", ">", "<", "&", "lt", ";"));
  EXPECT_THAT(caption_pieces("it&#39;s it&#x27;s it&apos;s"),
              ElementsAre("it", "'s", "it", "'s", "it", "'s"));
  EXPECT_THAT(caption_pieces("a&nbsp;b&Tab;c&NewLine;d"), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(caption_pieces("&CounterClockwiseContourIntegral;&nGt;"),
              ElementsAre("\u2233\u226B\u20D2"));
}

TEST(CaptionPieces, HtmlNamesOfOldNeedNoSemicolon) {
  EXPECT_THAT(caption_pieces("&copy2 &notin; &notit; &AMP"),
              ElementsAre("©", "2", "∉", "¬", "it", ";", "&"));
  EXPECT_THAT(caption_pieces("&hearts &unknown; & b &; &#; &#x; &#xg"),
              ElementsAre("&", "hearts", "&", "unknown", ";", "&", "b", "&;", "&#;", "&#", "x", ";",
                          "&#", "xg"));
  // The name is looked for at the beginning of any run of letters.
  EXPECT_THAT(caption_pieces("&lt" + std::string(100, 'x')),
              ElementsAre("<", std::string(100, 'x')));
}

TEST(CaptionPieces, HtmlNumbersThatAreNoCharacters) {
  EXPECT_THAT(caption_pieces("&#128; &#x99"), ElementsAre("€", "™"));  // windows-1252
  EXPECT_THAT(caption_pieces("&#0; &#xD800; &#x110000; &#99999999999999999999;"),
              ElementsAre("\uFFFD", "\uFFFD", "\uFFFD", "\uFFFD"));
  EXPECT_THAT(caption_pieces("a&#1;b &#xFFFE;c&#127;"), ElementsAre("ab", "c"));
  EXPECT_THAT(caption_pieces("a&#13;b"), ElementsAre("a", "b"));
}

TEST(CaptionPieces, StartAndEndHaveTwoSpellings) {
  EXPECT_THAT(caption_pieces("<|startoftext|>a<|EndOfText|>"),
              ElementsAre(start_text, "a", end_text));
  EXPECT_THAT(caption_pieces("<start_of_text>a<END_of_text>"),
              ElementsAre(start_text, "a", end_text));
  EXPECT_THAT(caption_pieces("!<|startoftext|>"), ElementsAre("!<|", "startoftext", "|>"));
}

TEST(CaptionPieces, TheLongSCountsAsS) {
  EXPECT_THAT(caption_pieces("a'ſt"), ElementsAre("a", "'ſ", "t"));
  EXPECT_THAT(caption_pieces("<|ſtartoftext|> <ſtart_of_text>"),
              ElementsAre("<|ſtartoftext|>", "<ſtart_of_text>"));
}

TEST(CaptionPieces, SeparatorsAreSpaceAtTheEndsOnly) {
  EXPECT_THAT(caption_pieces("\x1C\x1F a\x1C"), ElementsAre("a"));
  EXPECT_THAT(caption_pieces("a\x1C b"), ElementsAre("a", "\x1C", "b"));
  EXPECT_THAT(caption_pieces("\u3000a\u0085b\u2028"), ElementsAre("a", "b"));
}

TEST(CaptionPieces, WithoutTheYpogegrammeni) {
  EXPECT_THAT(caption_pieces("a\u0345b!\u0345?"), ElementsAre("a", "b", "!", "?"));
}

TEST(CaptionPieces, TakeBytesThatNoTextShouldHave) {
  EXPECT_THAT(caption_pieces(std::string("a\0b", 3)), ElementsAre("a", std::string(1, '\0'), "b"));
  EXPECT_THAT(caption_pieces("\uFEFF\u200Ba"), ElementsAre("\uFEFF\u200B", "a"));
  EXPECT_THAT(caption_pieces("\uFFFE\U0010FFFF"), ElementsAre("\uFFFE\U0010FFFF"));
}

TEST(CaptionPieces, OfMegabytesThatAreOnePiece) {
  for (const std::string unit : {"x", "é", "!", "\u0301"}) {
    std::string text;
    while (text.size() < 3'000'000) text += unit;
    EXPECT_EQ(caption_pieces(text), Pieces{text}) << unit;
  }
}

TEST(CaptionPieces, NameTheFirstByteThatIsNoUtf8) {
  const auto message = [](const std::string& text) {
    return message_of<InvalidArgument>([&] { (void)caption_pieces(text); });
  };
  EXPECT_EQ(message("caf\xE9 au lait"),
            "text to tokenize: expected UTF-8, got byte 233 at offset 3");
  EXPECT_EQ(message("é\xC3"), "text to tokenize: expected UTF-8, got byte 195 at offset 2");
  for (const std::string bytes : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    EXPECT_THAT(message(bytes), ::testing::EndsWith("at offset 0"));
  }
}

TEST(CaptionPieces, WithSpacesBetweenAreCutTheSameAgain) {
  const Pieces bits{"'s", "'",      "''",  "&",      "&amp;", "&amp;lt;", "&#39;",
                    "Σ",  "İ",      "ß",   "\x1C",   "\x1F",  "\u0307",   "<|startoftext|>",
                    "<|", "</w>",   "w",   "1",      "½",     "!!",       "<end_of_text>",
                    " ",  "\u200D", "lt;", "\uFFFD", "#",     "\n",       "<|ſtartoftext|>"};
  std::mt19937 rng(1);
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text;
    for (auto count = rng() % 8; count > 0; --count) text += bits[rng() % bits.size()];
    const Pieces pieces = caption_pieces(text);
    ASSERT_EQ(caption_pieces(spaced(pieces)), pieces) << text;
  }
}

TEST(CaptionPieces, ASeparatorBesideAYpogegrammeniIsTheException) {
  const Pieces pieces = caption_pieces("a\x1F\u0345");
  EXPECT_THAT(pieces, ElementsAre("a", "\x1F"));
  EXPECT_THAT(caption_pieces(spaced(pieces)), ElementsAre("a"));
}

TEST(RepairedUtf8, ReplacesWhatIsNoCharacter) {
  EXPECT_EQ(repaired_utf8("café"), "café");
  EXPECT_EQ(repaired_utf8("a\x80\xFF"), "a\uFFFD\uFFFD");
  // What began well and broke off is one character, a beginning that cannot be is one for each.
  EXPECT_EQ(repaired_utf8("\xE2\x82z\xF0\x9F\x98"), "\uFFFDz\uFFFD");
  EXPECT_EQ(repaired_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
}

TEST(IsLetters, TakesLettersOfAnyScript) {
  EXPECT_TRUE(is_letters("aé日ß"));
  for (const std::string text : {"", "a1", "a ", "½", "\u0301", "a\xC3"}) {
    EXPECT_FALSE(is_letters(text)) << text;
  }
}

}  // namespace
}  // namespace unlearn::pairs
