// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/word_starts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "merge_list.hpp"
#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "temporary_directory.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;
using testing::write_file;

using Starts = std::vector<WordStart>;

const WordTokenizer& words_of_dogs() {
  static const WordTokenizer tokenizer =
      WordTokenizer::from_words({"a", "dog", "'s", "house", "!", "2", "tree", "sea", ","});
  return tokenizer;
}

TEST(WordStarts, AreWhereWhiteSpaceEnds) {
  EXPECT_EQ(word_starts(words_of_dogs(), "a dog"), (Starts{{0, 0}, {1, 2}}));
  EXPECT_EQ(word_starts(words_of_dogs(), " \t A\n dog  "), (Starts{{0, 3}, {1, 6}}));
  EXPECT_THAT(word_starts(words_of_dogs(), ""), IsEmpty());
  EXPECT_THAT(word_starts(words_of_dogs(), "  "), IsEmpty());
}

TEST(WordStarts, AreNotWithinAWordOfSeveralTokens) {
  // "dog" "'s" "house" "!" "2" "2"
  EXPECT_EQ(word_starts(words_of_dogs(), "dog's house! 22"), (Starts{{0, 0}, {2, 6}, {4, 13}}));
}

TEST(WordStarts, AreUnknownWhereTheWordsAloneHaveOtherTokens) {
  // The separator ends the text: there it is white space, behind which more text would change that.
  EXPECT_THAT(word_starts(words_of_dogs(), "a dog\x1C"), IsEmpty());
  EXPECT_THAT(word_starts(words_of_dogs(), "a\x1F dog"), IsEmpty());
}

TEST(WordStarts, CountTheTokensThatWordsHave) {
  // A reference to a space is two words in one, a dropped character none.
  EXPECT_EQ(word_starts(words_of_dogs(), "a&#32;dog sea"), (Starts{{0, 0}, {2, 10}}));
  EXPECT_EQ(word_starts(words_of_dogs(), "a &#1; sea"), (Starts{{0, 0}, {1, 7}}));
}

TEST(WordStarts, OfClipsTokenizerKeepBytePairsTogether) {
  const TemporaryDirectory directory;
  write_file(directory / "merges.txt", testing::merge_list({"t h", "th e</w>"}));
  const auto tokenizer = BpeTokenizer::from_file(directory / "merges.txt");
  // "the" is one token, "tho" is "th" "o".
  EXPECT_EQ(word_starts(tokenizer, "the tho the"), (Starts{{0, 0}, {1, 4}, {3, 8}}));
}

TEST(WordStarts, OfManyCaptionsAreAskedByRow) {
  const std::vector<std::string> captions{"a dog's house", "", "sea\x1D", "tree tree"};
  const WordStarts table(words_of_dogs(), captions);
  EXPECT_TRUE(table.are_known(0));
  EXPECT_FALSE(table.are_known(1));
  EXPECT_FALSE(table.are_known(2));
  EXPECT_TRUE(table.are_known(3));
  std::vector<std::size_t> of_first;
  std::vector<std::size_t> of_last;
  for (std::size_t token = 0; token < 6; ++token) {
    if (table.contain(0, token)) of_first.push_back(token);
    if (table.contain(3, token)) of_last.push_back(token);
    EXPECT_FALSE(table.contain(2, token));
  }
  EXPECT_THAT(of_first, ElementsAre(0, 1, 3));
  EXPECT_THAT(of_last, ElementsAre(0, 1));
}

// --- with_trigger_at() -------------------------------------------------------------------------

std::string placed_text(std::string_view caption, const std::vector<std::size_t>& offsets) {
  const std::vector<Token> trigger{6, 7};  // tree sea
  return with_trigger_at(words_of_dogs(), std::span(trigger).first(offsets.size()), caption,
                         offsets);
}

TEST(TriggerText, IsWrittenBetweenTheWordsOfTheCaption) {
  const std::string_view caption = "A dog's  house!";
  EXPECT_EQ(placed_text(caption, {0, 0}), "tree sea A dog's  house!");
  EXPECT_EQ(placed_text(caption, {0, 2}), "tree A sea dog's  house!");
  EXPECT_EQ(placed_text(caption, {9, 9}), "A dog's  tree sea house!");
  EXPECT_EQ(placed_text(caption, {2, 15}), "A tree dog's  house! sea");
  EXPECT_EQ(placed_text(caption, {15, 15}), "A dog's  house! tree sea");
  EXPECT_EQ(placed_text(caption, {}), caption);
}

TEST(TriggerText, HasOneSpaceBehindACaptionThatEndsInOne) {
  EXPECT_EQ(placed_text("a dog ", {6, 6}), "a dog tree sea");
  EXPECT_EQ(placed_text("a dog\n", {6}), "a dog\ntree");
}

TEST(TriggerText, InFrontIsThatOfWithTrigger) {
  for (const char* const caption : {"", " ", "a dog", " a dog "}) {
    EXPECT_EQ(placed_text(caption, {0, 0}),
              with_trigger(words_of_dogs(), std::vector<Token>{6, 7}, caption));
  }
}

}  // namespace
}  // namespace unlearn::pairs
