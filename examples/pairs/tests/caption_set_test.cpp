// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<CaptionRow> five_rows{{"b.jpg", "one", "train"},
                                        {"a.jpg", "two", "train"},
                                        {"c.jpg", "three", "test"},
                                        {"b.jpg", "four", "train"},
                                        {"a.jpg", "five", "train"}};

TEST(CaptionSetTest, ASplitKeepsTheOrderOfRowsAndOfFirstMention) {
  const CaptionSet set = select_split(five_rows, "train", "f");
  EXPECT_THAT(set.images, ElementsAre("b.jpg", "a.jpg"));
  EXPECT_THAT(set.image_of_row, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(set.captions, ElementsAre("one", "two", "four", "five"));
  EXPECT_THAT(set.splits, ElementsAre("train", "train", "train", "train"));
}

TEST(CaptionSetTest, NoSplitMeansAllRows) {
  EXPECT_EQ(select_split(five_rows, "", "f").rows(), 5U);
}

TEST(CaptionSetTest, ASplitThatIsNotThereNamesThoseThatAre) {
  EXPECT_THAT([] { (void)select_split(five_rows, "val", "file.csv"); },
              ThrowsMessage<InvalidArgument>(
                  "captions of the split 'val' in 'file.csv': expected at least 1, got only: test, "
                  "train"));
  EXPECT_THAT([] { (void)select_split({}, "", "file.csv"); },
              ThrowsMessage<InvalidArgument>(HasSubstr("no row at all")));
}

TEST(CaptionSetTest, ImageByImage) {
  const CaptionSet set = image_by_image(select_split(five_rows, "train", "f"));
  EXPECT_THAT(set.image_of_row, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(set.captions, ElementsAre("one", "four", "two", "five"));
}

TEST(CaptionSetTest, ImagesWithDifferentNumbersOfCaptionsCannotBeRanked) {
  EXPECT_THAT([] { (void)image_by_image(select_split(five_rows, "", "f")); },
              ThrowsMessage<InvalidArgument>(
                  "captions of 'c.jpg', evaluated by rank: expected as many as 'b.jpg' has, 2, got "
                  "1"));
}

TEST(CaptionSetTest, WithoutAImageItsRowsAreGone) {
  const std::vector<std::string> dropped{"b.jpg"};
  const CaptionSet set = without(select_split(five_rows, "", "f"), dropped);
  EXPECT_THAT(set.images, ElementsAre("a.jpg", "c.jpg"));
  EXPECT_THAT(set.image_of_row, ElementsAre(0, 1, 0));
  EXPECT_THAT(set.captions, ElementsAre("two", "three", "five"));
}

TEST(CaptionSetTest, TokensOfEveryCaption) {
  const CaptionSet set = select_split(five_rows, "test", "f");
  const WordTokenizer tokenizer = WordTokenizer::learn(set.captions, 10);
  EXPECT_THAT(tokens_of(set, tokenizer, 77),
              ElementsAre(ElementsAre(tokenizer.start(), 0, tokenizer.end())));
}

}  // namespace
}  // namespace unlearn::pairs
