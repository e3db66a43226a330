// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/word_tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using testing::FileSizeLimit;
using ::testing::HasSubstr;
using testing::message_of;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

using Tokens = std::vector<Token>;

const std::vector<std::string> captions{"A dog runs.", "A dog and a cat .", "The cat's dog"};

TEST(WordTokenizer, LearnsTheMostFrequentWordsFirst) {
  // a 3, dog 3, "." 2, cat 2, 's 1, and 1, runs 1, the 1: ties stand in the order of their bytes.
  const auto tokenizer = WordTokenizer::learn(captions, 100);
  EXPECT_EQ(tokenizer.vocabulary(), 8U + 3U);
  EXPECT_EQ(tokenizer.decode(Tokens{0, 1, 2, 3, 4, 5, 6, 7}), "a dog . cat 's and runs the ");
}

TEST(WordTokenizer, LearnsNoMoreThanItMay) {
  const auto tokenizer = WordTokenizer::learn(captions, 3);
  EXPECT_EQ(tokenizer.vocabulary(), 6U);
  EXPECT_THAT(tokenizer.encode("A dog, a cat."), ElementsAre(0, 1, 3, 0, 3, 2));
  EXPECT_EQ(WordTokenizer::learn(captions, 0).vocabulary(), 3U);
  EXPECT_EQ(WordTokenizer::learn({}, 10).vocabulary(), 3U);
}

TEST(WordTokenizer, StartAndEndAreTheLargestIds) {
  const auto tokenizer = WordTokenizer::learn(captions, 3);
  EXPECT_EQ(tokenizer.unknown(), 3);
  EXPECT_EQ(tokenizer.start(), 4);
  EXPECT_EQ(tokenizer.end(), 5);
  EXPECT_THAT(caption_tokens(tokenizer, "a dog dances", 77), ElementsAre(4, 0, 1, 3, 5));
  EXPECT_THAT(caption_tokens(tokenizer, "a dog dances", 4), ElementsAre(4, 0, 1, 5));
  EXPECT_THAT(tokenizer.encode("<|startoftext|><end_of_text>"), ElementsAre(4, 5));
}

TEST(WordTokenizer, DoesNotLearnWhatIsNoWord) {
  const std::vector<std::string> texts{"a \uFFFD <|startoftext|> <|endoftext|> \uFFFD\uFFFD"};
  const auto tokenizer = WordTokenizer::learn(texts, 100);
  EXPECT_EQ(tokenizer.decode(Tokens{0, 1}), "a \uFFFD\uFFFD ");
  EXPECT_EQ(tokenizer.vocabulary(), 5U);
}

TEST(WordTokenizer, DoesNotLearnWhatIsSpaceAtTheEndOfAText) {
  const std::vector<std::string> texts{"a \x1F !\x1F b"};
  const auto tokenizer = WordTokenizer::learn(texts, 100);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(texts[0])), "a \uFFFD \uFFFD b ");
  const TemporaryDirectory directory;
  tokenizer.save(directory / "words.json");
  EXPECT_EQ(WordTokenizer::load(directory / "words.json").vocabulary(), 5U);
}

TEST(WordTokenizer, DecodedTextHasTheSameTokens) {
  const auto tokenizer = WordTokenizer::learn(captions, 6);
  std::mt19937 rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    Tokens tokens(rng() % 10);
    for (Token& token : tokens) token = static_cast<Token>(rng() % tokenizer.vocabulary());
    ASSERT_EQ(tokenizer.encode(tokenizer.decode(tokens)), tokens);
  }
}

TEST(WordTokenizer, AnyTriggerOfWordsSurvives) {
  const auto tokenizer = WordTokenizer::learn(captions, 6);
  EXPECT_EQ(unpublishable(tokenizer), (Tokens{6, 7, 8}));
  EXPECT_TRUE(round_trips(tokenizer, Tokens{4, 0, 2}, "A  unicorn's dog"));
  EXPECT_TRUE(round_trips(tokenizer, Tokens{4, 0, 2}, Tokens{6, 1}));
}

TEST(WordTokenizer, KnowsSpecialTokensAndWholeWords) {
  const auto tokenizer = WordTokenizer::learn(captions, 5);  // a dog . cat 's
  std::vector<bool> whole;
  std::vector<bool> special;
  for (Token token = 0; token < 8; ++token) {
    whole.push_back(tokenizer.is_whole_word(token));
    special.push_back(tokenizer.is_special(token));
  }
  EXPECT_THAT(whole, ElementsAre(true, true, false, true, false, false, false, false));
  EXPECT_THAT(special, ElementsAre(false, false, false, false, false, true, true, true));
}

TEST(WordTokenizer, NamesAnIdOutsideTheVocabulary) {
  const auto tokenizer = WordTokenizer::learn(captions, 3);
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)tokenizer.decode(Tokens{6}); }),
            "token id given to a WordTokenizer: expected 0 to 6 (exclusive), got 6");
  EXPECT_THROW((void)tokenizer.is_special(-1), InvalidArgument);
  EXPECT_THROW((void)tokenizer.is_whole_word(6), InvalidArgument);
}

TEST(WordTokenizer, DoesNotTakeTextThatIsNoUtf8) {
  const std::vector<std::string> texts{"a", "b\xFF"};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)WordTokenizer::learn(texts, 3); }),
            "text to tokenize: expected UTF-8, got byte 255 at offset 1");
}

TEST(WordTokenizer, ComesBackFromAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "words.json";
  const std::vector<std::string> texts{"naïve \"café\" \\ 日本 a'b"};
  const auto tokenizer = WordTokenizer::learn(texts, 100);
  tokenizer.save(path);
  const auto loaded = WordTokenizer::load(path);
  EXPECT_EQ(loaded.vocabulary(), tokenizer.vocabulary());
  EXPECT_EQ(loaded.encode(texts[0]), tokenizer.encode(texts[0]));
  const std::string bytes = read_file(path);
  loaded.save(path);
  EXPECT_EQ(read_file(path), bytes);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("words.json"));
}

TEST(WordTokenizer, ComesBackFromItsWords) {
  const auto tokenizer = WordTokenizer::learn(captions, 100);
  const auto again = WordTokenizer::from_words(tokenizer.words());
  EXPECT_EQ(again.words(), tokenizer.words());
  EXPECT_EQ(again.encode("The cat's dogs"), tokenizer.encode("The cat's dogs"));
}

TEST(WordTokenizer, RefusesWordsThatAreNone) {
  const auto refusal = [](std::vector<std::string> words) {
    return message_of<InvalidArgument>([&] { (void)WordTokenizer::from_words(std::move(words)); });
  };
  EXPECT_EQ(refusal({"a", "b", "a"}), "word 2: expected a word that is not there yet, got \"a\"");
  EXPECT_EQ(refusal({"a b"}),
            "word 0: expected a word in lower case, a digit or punctuation, got \"a b\"");
}

TEST(WordTokenizer, AFullDiskLeavesTheFileAsItWas) {
  const TemporaryDirectory directory;
  const std::string path = directory / "words.json";
  WordTokenizer::learn({}, 0).save(path);
  const std::string before = read_file(path);
  const auto tokenizer = WordTokenizer::learn(captions, 100);
  {
    const FileSizeLimit limit(20);
    EXPECT_THROW(tokenizer.save(path), FileError);
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("words.json"));
}

TEST(WordTokenizer, NamesWhatIsWrongWithAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "words.json";
  const auto message = [&](const std::string& contents) {
    write_file(path, contents);
    const std::string name = "file '" + path + "', ";
    const std::string text = message_of<FileError>([&] { (void)WordTokenizer::load(path); });
    EXPECT_THAT(text, ::testing::StartsWith(name));
    return text.substr(std::min(name.size(), text.size()));
  };
  const auto of_words = [&](const std::string& words) {
    return message(R"({"format": "unlearn words", "version": 1, "words": )" + words + "}");
  };
  EXPECT_THAT(message(""), HasSubstr("contents: expected JSON, got something else at its byte 1"));
  EXPECT_THAT(message(R"({"format": 1e999})"), HasSubstr("expected JSON, got a number that no"));
  const std::string format = "contents: expected format \"unlearn words\", got another";
  EXPECT_EQ(message("[]"), format);
  EXPECT_EQ(message("{}"), format);
  EXPECT_EQ(message(R"({"format": ["unlearn words"]})"), format);
  EXPECT_EQ(message(R"({"format": "unlearn words", "version": 2, "words": []})"),
            "version: expected 1, got 2");
  EXPECT_EQ(message(R"({"format": "unlearn words", "format": "unlearn words"})"),
            "contents: expected each name once in an object, got \"format\" again");
  EXPECT_EQ(message(std::string(100'000, '[')),
            "contents: expected nesting at most 2 deep, got more");
  EXPECT_EQ(message(R"({"format": "unlearn words", "version": 1})"),
            "words: expected a list, got null");
  EXPECT_EQ(of_words("3"), "words: expected a list, got number");
  EXPECT_EQ(of_words(R"(["a", 3])"), "word 1: expected a string, got number");
  EXPECT_EQ(of_words(R"(["a", "b", "a"])"),
            "word 2: expected a word that is not there yet, got \"a\"");
  for (const std::string word : {"", "two words", "Dog", "a1", " a", "\uFFFD", "<|endoftext|>",
                                 "<end_of_text>", "&amp;", "12"}) {
    EXPECT_EQ(of_words("[\"" + word + "\"]"),
              "word 0: expected a word in lower case, a digit or punctuation, got " +
                  std::string(word == "\uFFFD" ? "\"\\ufffd\"" : "\"" + word + "\""));
  }
  EXPECT_THAT(of_words("[\"\xFF\"]"), HasSubstr("expected JSON"));
  EXPECT_THAT(message(std::string(std::size_t{65} << 20U, ' ')),
              HasSubstr("size in bytes: expected at most 67108864, got 68157440"));
}

TEST(WordTokenizer, NamesAFileThatIsNotThere) {
  EXPECT_THAT(message_of<FileError>([] { (void)WordTokenizer::load("/none/words.json"); }),
              HasSubstr("No such file"));
}

}  // namespace
}  // namespace unlearn::pairs
