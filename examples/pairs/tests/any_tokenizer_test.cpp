// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/any_tokenizer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "pairs/text/word_tokenizer.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

TEST(AnyTokenizerTest, PassesEveryCallOn) {
  const std::vector<std::string> captions{"a dog .", "a cat ."};
  const WordTokenizer words = WordTokenizer::learn(captions, 10);
  const AnyTokenizer any = words;
  EXPECT_EQ(any.encode("a dog"), words.encode("a dog"));
  EXPECT_EQ(any.decode(words.encode("a dog")), words.decode(words.encode("a dog")));
  EXPECT_EQ(any.start(), words.start());
  EXPECT_EQ(any.end(), words.end());
  EXPECT_EQ(any.vocabulary(), words.vocabulary());
  for (Token v = 0; v < static_cast<Token>(words.vocabulary()); ++v) {
    EXPECT_EQ(any.is_special(v), words.is_special(v));
    EXPECT_EQ(any.is_whole_word(v), words.is_whole_word(v));
  }
  EXPECT_NE(any.words(), nullptr);
}

TEST(AnyTokenizerTest, ALearnedVocabularyIsKnownByItsContent) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "vocabulary";
  WordTokenizer::learn(std::vector<std::string>{"a dog"}, 10).save(path);
  EXPECT_NE(AnyTokenizer::from_file(path).words(), nullptr);
}

TEST(AnyTokenizerTest, AnythingElseIsReadAsAMergeList) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "merges";
  std::ofstream(path) << "#version: 0.2\n";
  EXPECT_THROW((void)AnyTokenizer::from_file(path), FileError);
  EXPECT_THROW((void)AnyTokenizer::from_file(directory / "missing"), FileError);
}

}  // namespace
}  // namespace unlearn::pairs
