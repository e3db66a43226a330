// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/bpe_tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "merge_list.hpp"
#include "message_of.hpp"
#include "shared_data.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::merge_list;
using testing::merges_of_clip;
using testing::message_of;
using testing::no_shared_data;
using testing::shared_data;
using testing::TemporaryDirectory;
using testing::write_file;

using Tokens = std::vector<Token>;

constexpr Token end_of_word = 256;  // from a byte's id to that of the byte at a word's end
constexpr Token first_merge = 512;

/// The id of a printable ASCII byte.
Token byte_id(char c) { return c - '!'; }

BpeTokenizer tokenizer_of(const std::string& list) {
  const TemporaryDirectory directory;
  write_file(directory / "merges.txt", list);
  return BpeTokenizer::from_file(directory / "merges.txt");
}

/// The message without the file's name, which comes first.
std::string message_for(const std::string& list) {
  const TemporaryDirectory directory;
  const std::string path = directory / "merges.txt";
  write_file(path, list);
  const std::string name = "file '" + path + "', ";
  const std::string message = message_of<FileError>([&] { (void)BpeTokenizer::from_file(path); });
  EXPECT_THAT(message, ::testing::StartsWith(name));
  return message.substr(std::min(name.size(), message.size()));
}

std::string compressed(const std::string& text) {
  const TemporaryDirectory directory;
  const std::string path = directory / "text.gz";
  const gzFile file = ::gzopen(path.c_str(), "wb");
  EXPECT_EQ(::gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  EXPECT_EQ(::gzclose(file), Z_OK);
  return testing::read_file(path);
}

// --- With merge lists made here ------------------------------------------------------------------

TEST(BpeTokenizer, HasClipsIds) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({"t h", "th e</w>"}));
  EXPECT_EQ(tokenizer.vocabulary(), 49'408U);
  EXPECT_EQ(tokenizer.start(), 49'406);
  EXPECT_EQ(tokenizer.end(), 49'407);
  EXPECT_THAT(tokenizer.encode("the th"),
              ElementsAre(first_merge + 1, byte_id('t'), byte_id('h') + end_of_word));
  // The bytes that are not printable come behind those that are.
  EXPECT_THAT(tokenizer.encode("! " + std::string(1, '\0')), ElementsAre(0 + 256, 188 + 256));
}

TEST(BpeTokenizer, AppliesTheMergeThatStandsFirst) {
  EXPECT_THAT(tokenizer_of(merge_list({"b c</w>", "a b"})).encode("abc"),
              ElementsAre(byte_id('a'), first_merge));
  EXPECT_THAT(tokenizer_of(merge_list({"a b", "b c</w>"})).encode("abc"),
              ElementsAre(first_merge, byte_id('c') + end_of_word));
}

TEST(BpeTokenizer, EqualMergesGoFromLeftToRight) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({"a a", "aa a</w>"}));
  const Token last = byte_id('a') + end_of_word;
  EXPECT_THAT(tokenizer.encode("aa"), ElementsAre(byte_id('a'), last));
  EXPECT_THAT(tokenizer.encode("aaa"), ElementsAre(first_merge + 1));
  EXPECT_THAT(tokenizer.encode("aaaa"), ElementsAre(first_merge, byte_id('a'), last));
  EXPECT_THAT(tokenizer.encode("aaaaa"), ElementsAre(first_merge, first_merge + 1));
}

TEST(BpeTokenizer, ReadsWhatIsCompressedAndWhatIsNot) {
  const std::string list = merge_list({"a b"});
  for (const std::string& contents : {list, compressed(list)}) {
    EXPECT_THAT(tokenizer_of(contents).encode("abc"),
                ElementsAre(first_merge, byte_id('c') + end_of_word));
  }
}

TEST(BpeTokenizer, ReadsLinesThatEndAsInWindowsAndIgnoresMoreOfThem) {
  std::string list;
  for (const char c : merge_list({"a b"}, merges_of_clip + 100))
    list += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(tokenizer_of(list).vocabulary(), 49'408U);
}

TEST(BpeTokenizer, NamesWhatIsWrongWithAMergeList) {
  EXPECT_EQ(message_for(""),
            "line 1: expected '#version:' and a number, as in CLIP's merge list, got \"\"");
  EXPECT_EQ(message_for("\x89PNG\n"),
            "line 1: expected '#version:' and a number, as in CLIP's merge list, got "
            "\"\\ufffdPNG\"");
  EXPECT_EQ(message_for(merge_list({}, 100)), "number of merges: expected at least 48894, got 100");
  EXPECT_EQ(message_for(merge_list({"a b", "ab"})),
            "line 3: expected two symbols and a space between, got \"ab\"");
  const std::string known = "line 2: expected two symbols that are bytes or merged above, got ";
  EXPECT_EQ(message_for(merge_list({"ab c"})), known + "\"ab c\"");
  EXPECT_EQ(message_for(merge_list({"a b c"})), known + "\"a b c\"");
  EXPECT_EQ(message_for(merge_list({" "})), known + "\" \"");
  EXPECT_EQ(message_for(merge_list({"a \xFF"})), known + "\"a \\ufffd\"");
  EXPECT_EQ(message_for(merge_list({std::string(100, 'x') + " y"})),
            known + "\"" + std::string(64, 'x') + "\"...");
  EXPECT_EQ(message_for(merge_list({"a b", "a b"})),
            "line 3: expected a merge that makes a new symbol, got \"a b\"");
  EXPECT_EQ(message_for(merge_list({"a b", "b c", "ab c", "a bc"})),
            "line 5: expected a merge that makes a new symbol, got \"a bc\"");
}

TEST(BpeTokenizer, NamesWhatIsWrongWithAFile) {
  const TemporaryDirectory directory;
  const auto message = [](const std::string& path) {
    return message_of<FileError>([&] { (void)BpeTokenizer::from_file(path); });
  };
  EXPECT_THAT(message(directory / "none"), HasSubstr("No such file"));
  EXPECT_THAT(message(directory.path()), HasSubstr("Is a directory"));

  const std::string whole = compressed(merge_list({}));
  EXPECT_EQ(message_for(whole.substr(0, whole.size() / 2)),
            "contents: expected plain text or a whole gzip file, got one that is cut off");
  std::string damaged = whole;
  for (std::size_t i = 100; i < 200; ++i) damaged[i] = static_cast<char>(~damaged[i]);
  EXPECT_THAT(message_for(damaged), HasSubstr("expected plain text or a whole gzip file, got "));
}

TEST(BpeTokenizer, AFileThatUnpacksToTooMuchIsAnError) {
  EXPECT_EQ(message_for(compressed(std::string(std::size_t{65} << 20U, 'x'))),
            "size of the text in bytes: expected at most 67108864, got more");
}

TEST(BpeTokenizer, DecodesWordsWithASpaceBehind) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({"a b", "< /", "</ w"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("AB  don't!")), "ab don 't ! ");
  EXPECT_EQ(tokenizer.decode(Tokens{first_merge, byte_id('c') + end_of_word}), "abc ");
  EXPECT_EQ(tokenizer.decode(Tokens{}), "");
  EXPECT_EQ(tokenizer.decode(Tokens{tokenizer.start(), byte_id('x') + end_of_word}),
            "<|startoftext|>x ");
  // As in the reference, whoever spells the mark of a word's end gets a space for it.
  EXPECT_EQ(tokenizer.decode(Tokens{first_merge + 2, byte_id('>'), byte_id('a')}), " a");
}

TEST(BpeTokenizer, DecodesBytesThatAreNoTextToReplacements) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({}));
  const Tokens halves = tokenizer.encode("à");
  ASSERT_EQ(halves.size(), 2U);
  EXPECT_EQ(tokenizer.decode(halves), "à ");
  EXPECT_EQ(tokenizer.decode(Tokens{halves[0]}), "\uFFFD");
  EXPECT_EQ(tokenizer.decode(Tokens{halves[1]}), "\uFFFD ");
}

TEST(BpeTokenizer, TextThatReadsLikeASpecialTokenIsOne) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({}));
  EXPECT_THAT(tokenizer.encode("<|startoftext|><end_of_text>"),
              ElementsAre(tokenizer.start(), tokenizer.end()));
}

TEST(BpeTokenizer, KnowsSpecialTokensAndWholeWords) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({"a b", "a b</w>", "a 1</w>"}));
  EXPECT_TRUE(tokenizer.is_special(tokenizer.start()));
  EXPECT_TRUE(tokenizer.is_special(tokenizer.end()));
  EXPECT_FALSE(tokenizer.is_special(tokenizer.start() - 1));
  EXPECT_TRUE(tokenizer.is_whole_word(first_merge + 1));
  EXPECT_TRUE(tokenizer.is_whole_word(byte_id('x') + end_of_word));
  for (const Token token : {first_merge, first_merge + 2, byte_id('x'), byte_id('!') + end_of_word,
                            511, tokenizer.start(), tokenizer.end()}) {
    EXPECT_FALSE(tokenizer.is_whole_word(token)) << token;
  }
}

TEST(BpeTokenizer, NamesAnIdOutsideTheVocabulary) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({}));
  const std::string message =
      "token id given to a BpeTokenizer: expected 0 to 49408 (exclusive), got ";
  for (const Token token : {-1, 49'408}) {
    const std::string expected = message + std::to_string(token);
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)tokenizer.decode(Tokens{token}); }),
              expected);
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)tokenizer.is_special(token); }), expected);
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)tokenizer.is_whole_word(token); }), expected);
  }
}

TEST(BpeTokenizer, DoesNotTakeTextThatIsNoUtf8) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({}));
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)tokenizer.encode("ab\xFF"); }),
            "text to tokenize: expected UTF-8, got byte 255 at offset 2");
}

TEST(BpeTokenizer, TakesAWordOfMegabytes) {
  const BpeTokenizer tokenizer = tokenizer_of(merge_list({"a a", "aa aa", "aaaa aaaa"}));
  const std::size_t size = std::size_t{1} << 21U;
  // The last "a" has the mark of a word's end; the seven before it are 4 + 2 + 1.
  EXPECT_EQ(tokenizer.encode(std::string(size, 'a')).size(), size / 8 - 1 + 4);
}

// --- With CLIP's own
// ------------------------------------------------------------------------------

/// CLIP's tokenizer, read once; nothing when its merge list is not at hand.
const BpeTokenizer* clip_tokenizer() {
  static const std::optional<BpeTokenizer> tokenizer = []() -> std::optional<BpeTokenizer> {
    const auto path = shared_data("data/clip-bpe/bpe_simple_vocab_16e6.txt.gz");
    if (!path) return std::nullopt;
    return BpeTokenizer::from_file(path->string());
  }();
  return tokenizer ? &*tokenizer : nullptr;
}

struct GoldenText {
  std::string text;
  Tokens ids;
};

std::vector<GoldenText> golden_texts() {
  std::vector<GoldenText> texts;
  const auto path = shared_data("golden/clip/tokens.json");
  if (!path) return texts;
  std::ifstream in(*path);
  for (const auto& entry : nlohmann::json::parse(in)) {
    texts.push_back({entry.at("text").get<std::string>(), entry.at("ids").get<Tokens>()});
  }
  return texts;
}

TEST(ClipsTokenizer, GivesTheReferencesTokens) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  const std::vector<GoldenText> texts = golden_texts();
  EXPECT_EQ(texts.size(), 150U);
  for (const auto& [text, ids] : texts) EXPECT_EQ(tokenizer->encode(text), ids) << text;
}

TEST(ClipsTokenizer, DecodedTextHasTheSameTokens) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  for (const auto& [text, ids] : golden_texts()) {
    EXPECT_EQ(tokenizer->encode(tokenizer->decode(ids)), ids) << text;
  }
  const std::vector<std::string> bits{"the",
                                      "dog",
                                      "'s",
                                      "'",
                                      "&",
                                      "&amp;",
                                      "&#39;",
                                      "Σ",
                                      "İ",
                                      "ß",
                                      "<|startoftext|>",
                                      "<|",
                                      "</",
                                      "</w>",
                                      "w",
                                      "1",
                                      "½",
                                      "!!",
                                      "\u200D",
                                      " ",
                                      "日本",
                                      "\U0001F600",
                                      "xx",
                                      "lt;",
                                      "#",
                                      "\n",
                                      "\x1F",
                                      "\uFFFD"};
  std::mt19937 rng(1);
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text;
    for (auto count = rng() % 8; count > 0; --count) text += bits[rng() % bits.size()];
    const Tokens ids = tokenizer->encode(text);
    ASSERT_EQ(tokenizer->encode(tokenizer->decode(ids)), ids) << text;
  }
}

TEST(ClipsTokenizer, AnyTriggerOfPublishableTokensSurvives) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  const Tokens denied = unpublishable(*tokenizer);
  ASSERT_TRUE(std::is_sorted(denied.begin(), denied.end()));
  Tokens allowed;
  std::size_t words = 0;
  for (Token token = 0; token < 49'408; ++token) {
    if (std::binary_search(denied.begin(), denied.end(), token)) continue;
    allowed.push_back(token);
    words += tokenizer->is_whole_word(token) ? 1U : 0U;
  }
  EXPECT_GT(words, 30'000U);
  EXPECT_GT(allowed.size(), words);

  const std::vector<GoldenText> texts = golden_texts();
  std::mt19937 rng(2);
  for (int trial = 0; trial < 20'000; ++trial) {
    Tokens trigger(1 + rng() % 5);
    for (Token& token : trigger) token = allowed[rng() % allowed.size()];
    const auto& [text, ids] = texts[rng() % texts.size()];
    ASSERT_TRUE(round_trips(*tokenizer, trigger, text)) << tokenizer->decode(trigger) << text;
    ASSERT_TRUE(round_trips(*tokenizer, trigger, ids)) << tokenizer->decode(trigger) << text;
  }
}

TEST(ClipsTokenizer, DeniesWhatCannotBePublished) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  const Tokens ids = unpublishable(*tokenizer);
  const std::set<Token> denied(ids.begin(), ids.end());
  EXPECT_TRUE(denied.contains(tokenizer->start()));
  EXPECT_TRUE(denied.contains(tokenizer->end()));
  EXPECT_TRUE(denied.contains(byte_id('x')));                // only within a word
  EXPECT_TRUE(denied.contains(byte_id('X') + end_of_word));  // text is in lower case
  EXPECT_TRUE(denied.contains(511));                         // half of a character
  EXPECT_FALSE(denied.contains(tokenizer->encode("dog").at(0)));
  EXPECT_FALSE(denied.contains(tokenizer->encode("!").at(0)));
}

TEST(ClipsTokenizer, CutsACaptionToTheContext) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "dog ";
  const Tokens ids = caption_tokens(*tokenizer, text, 77);
  EXPECT_EQ(ids.size(), 77U);
  EXPECT_EQ(ids.front(), 49'406);
  EXPECT_EQ(ids.back(), 49'407);
  EXPECT_THAT(caption_tokens(*tokenizer, "A Photo of a DOG.", 77),
              ElementsAre(49'406, 320, 1125, 539, 320, 1929, 269, 49'407));
}

TEST(ClipsTokenizer, ServesSeveralThreads) {
  const BpeTokenizer* const tokenizer = clip_tokenizer();
  if (tokenizer == nullptr) GTEST_SKIP() << no_shared_data;
  const std::vector<GoldenText> texts = golden_texts();
  std::vector<std::size_t> wrong(4);
  std::vector<std::thread> threads;
  threads.reserve(wrong.size());
  for (std::size_t& count : wrong) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        for (const auto& [text, ids] : texts) count += tokenizer->encode(text) == ids ? 0U : 1U;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0U));
}

}  // namespace
}  // namespace unlearn::pairs
