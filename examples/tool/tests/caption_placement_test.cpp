// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/caption_placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "merge_list.hpp"
#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/tokenizer.hpp"
#include "pairs/text/word_starts.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::tool {
namespace {

using testing::TemporaryDirectory;
using testing::write_file;

constexpr std::array kinds{PlacementKind::front, PlacementKind::back, PlacementKind::anywhere};

/// What the placement writes for a row: the tokens that a trigger is searched with.
template <class Tok>
std::vector<Token> optimised(const Tok& tokenizer, const CaptionPlacement& placement,
                             const RowCaption& caption, const std::vector<Token>& trigger) {
  const auto tokens = pairs::caption_tokens(tokenizer, caption.text, placement.context);
  std::vector<Token> sequence(placement.length(tokens.size(), trigger.size()));
  std::vector<std::int32_t> positions(trigger.size());
  placement.place(caption.row, tokens, trigger, sequence, positions);
  return sequence;
}

/// Captions of words, punctuation and odd white space, some of them long, some empty.
std::vector<std::string> drawn_captions(std::size_t count) {
  const std::vector<std::string> parts{"the",  "Tho", "dog's", "x-ray", "22",    "\"quoted\"",
                                       "end.", ",",   "&amp;", "ΌΣΟΣ",  "don't", "&#32;a"};
  const std::vector<std::string> gaps{" ", "  ", "\t", " \n "};
  SplitMix64 rng(4);
  std::vector<std::string> captions;
  for (std::size_t row = 0; row < count; ++row) {
    std::string text = uniform_below(4, rng) == 0 ? " " : "";
    for (std::size_t word = uniform_below(12, rng); word > 0; --word) {
      text += parts[uniform_below(parts.size(), rng)];
      if (word > 1 || uniform_below(4, rng) == 0) text += gaps[uniform_below(gaps.size(), rng)];
    }
    captions.push_back(text);
  }
  captions.emplace_back("the end\x1C");
  captions.emplace_back("");
  return captions;
}

/// Every published caption, encoded again, is what its trigger was searched with, and has its words
/// in order and whole.
template <class Tok>
void expect_published_as_optimised(const Tok& tokenizer) {
  const std::vector<std::string> captions = drawn_captions(300);
  const pairs::WordStarts words(tokenizer, captions);
  const std::vector<Token> forbidden = pairs::unpublishable(tokenizer);
  std::vector<Token> allowed;
  for (std::size_t v = 0; v < tokenizer.vocabulary(); ++v) {
    const auto token = static_cast<Token>(v);
    if (!std::ranges::binary_search(forbidden, token)) allowed.push_back(token);
  }
  SplitMix64 rng(9);
  for (const PlacementKind kind : kinds) {
    for (std::size_t row = 0; row < captions.size(); ++row) {
      if (captions[row].ends_with('\x1C') && kind == PlacementKind::front) continue;
      std::vector<Token> trigger;
      for (int p = 0; p < 3; ++p) trigger.push_back(allowed[uniform_below(allowed.size(), rng)]);
      const CaptionPlacement placement{
          .kind = kind, .seed = 5, .context = 5 + uniform_below(30, rng), .words = &words};
      const RowCaption caption{.row = static_cast<Index>(row), .text = captions[row]};
      const std::string text = published_caption(tokenizer, placement, caption, trigger);
      ASSERT_EQ(pairs::caption_tokens(tokenizer, text, placement.context),
                optimised(tokenizer, placement, caption, trigger))
          << text;
      const TriggerPlaces places = trigger_places(tokenizer, placement, caption, 3);
      const std::vector<Token> all = tokenizer.encode(text);
      for (std::size_t p = 0; p < 3; ++p) {
        ASSERT_EQ(all.at(places.tokens[p]), trigger[p]) << text;
        const std::size_t offset = places.offsets[p];
        const bool between =
            offset == 0 || offset == caption.text.size() || caption.text[offset - 1] <= ' ';
        ASSERT_TRUE(between) << text;
      }
    }
  }
}

TEST(CaptionPlacement, PublishesWhatWasOptimisedWithALearnedVocabulary) {
  std::vector<std::string> captions = drawn_captions(300);
  captions.emplace_back("tree sea wood");
  expect_published_as_optimised(pairs::WordTokenizer::learn(captions, 15));
}

TEST(CaptionPlacement, PublishesWhatWasOptimisedWithClipsTokenizer) {
  const TemporaryDirectory directory;
  write_file(directory / "merges.txt",
             testing::merge_list({"t h", "th e</w>", "th o</w>", "d o", "do g</w>"}));
  expect_published_as_optimised(pairs::BpeTokenizer::from_file(directory / "merges.txt"));
}

TEST(CaptionPlacement, WritesWordsInFrontBehindAndBetween) {
  const auto tokenizer =
      pairs::WordTokenizer::from_words({"a", "dog", "'s", "house", "sea", "tree"});
  const std::vector<std::string> captions{"A dog's house"};
  const pairs::WordStarts words(tokenizer, captions);
  const std::vector<Token> trigger{4, 5};
  const auto published = [&](CaptionPlacement placement) {
    placement.words = &words;
    return published_caption(tokenizer, placement, {.row = 0, .text = captions[0]}, trigger);
  };
  EXPECT_EQ(published({}), "sea tree A dog's house");
  EXPECT_EQ(published({.kind = PlacementKind::back}), "A dog's house sea tree");
  // The last token that the model takes would be within "dog's".
  EXPECT_EQ(published({.kind = PlacementKind::back, .context = 6}), "A sea tree dog's house");
  std::set<std::string> drawn;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    drawn.insert(published({.kind = PlacementKind::anywhere, .seed = seed}));
  }
  EXPECT_EQ(drawn.size(), 10U) << "two words in order at four places";
  EXPECT_TRUE(drawn.contains("A sea dog's tree house"));
}

}  // namespace
}  // namespace unlearn::tool
