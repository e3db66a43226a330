// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/anywhere_placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "message_of.hpp"
#include "trigger/placed.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn {
namespace {

using testing::BeginsBelow100;
using testing::DrawnCase;
using ::testing::ElementsAre;
using testing::end_token;
using testing::message_of;
using testing::Placed;
using testing::placed;
using testing::start_token;

using Tokens = std::vector<Token>;

struct SaysNothing {
  void operator()(Index /*row*/, std::span<const Token> /*caption*/, std::size_t /*k*/) const {}
};
struct KnowsNoRow {
  bool operator()(std::span<const Token> /*caption*/, std::size_t /*k*/) const { return true; }
};
static_assert(WordRule<BeginsBelow100> && !WordRule<SaysNothing> && !WordRule<KnowsNoRow>);

const Tokens five_words{start_token, 1, 2, 3, 4, 5, end_token};

/// How many words stand before each token of the trigger, for a caption of one token a word.
std::vector<std::size_t> words_before(const Placed& result) {
  std::vector<std::size_t> before;
  for (std::size_t p = 0; p < result.positions.size(); ++p) {
    before.push_back(static_cast<std::size_t>(result.positions[p]) - p - 1);
  }
  return before;
}

/// Everything that must hold whatever is drawn: words in order and whole, trigger in order, exact
/// positions, nothing cut but the end of the caption.
void expect_sound(const DrawnCase& drawn, const Placed& result) {
  std::vector<std::size_t> before;
  for (std::size_t p = 0; p < drawn.trigger.size(); ++p) {
    const auto position = static_cast<std::size_t>(result.positions[p]);
    ASSERT_LT(position, result.sequence.size());
    EXPECT_EQ(result.sequence[position], drawn.trigger[p]);
    before.push_back(position - p);
  }
  EXPECT_TRUE(std::ranges::is_sorted(result.positions));
  EXPECT_EQ(result.sequence, drawn.with_trigger_before(before));
  const std::vector<std::size_t> places = drawn.places();
  for (const std::size_t k : before) EXPECT_TRUE(std::ranges::count(places, k) == 1) << k;
}

TEST(AnywherePlacement, PutsWholeTriggersBetweenWholeWords) {
  SplitMix64 rng(7);
  for (Index row = 0; row < 3000; ++row) {
    const DrawnCase drawn(rng);
    const AnywherePlacement placement{.seed = row % 5,
                                      .start_tokens = DrawnCase::start_tokens,
                                      .end_tokens = DrawnCase::end_tokens,
                                      .context = drawn.context,
                                      .words = BeginsBelow100{}};
    expect_sound(drawn, placed(placement, row, drawn.caption, drawn.trigger));
    if (HasFailure()) FAIL() << "row " << row;
  }
}

/// Places drawn anew from a plain list of them.
TEST(AnywherePlacement, IsThatOfAPlainDrawFromTheListOfPlaces) {
  SplitMix64 rng(8);
  for (Index row = 0; row < 1000; ++row) {
    const DrawnCase drawn(rng);
    const std::uint64_t seed = rng();
    const AnywherePlacement placement{.seed = seed,
                                      .start_tokens = DrawnCase::start_tokens,
                                      .end_tokens = DrawnCase::end_tokens,
                                      .context = drawn.context,
                                      .words = BeginsBelow100{}};
    const std::vector<std::size_t> places = drawn.places();
    SplitMix64 draws(SplitMix64(SplitMix64(seed)() + row)());
    std::vector<std::size_t> before;
    for (std::size_t p = 0; p < drawn.trigger.size(); ++p) {
      before.push_back(places[uniform_below(places.size(), draws)]);
    }
    std::ranges::sort(before);
    const Placed result = placed(placement, row, drawn.caption, drawn.trigger);
    ASSERT_EQ(result.sequence, drawn.with_trigger_before(before)) << row;
  }
}

TEST(AnywherePlacement, HasTheSamePlacesForTheSameRowAndSeedAndOthersForOthers) {
  std::set<std::vector<std::int32_t>> of_rows;
  std::set<std::vector<std::int32_t>> of_seeds;
  for (std::uint32_t i = 0; i < 50; ++i) {
    const Placed first = placed(AnywherePlacement{.seed = 3}, i, five_words, {7, 8, 9});
    EXPECT_EQ(placed(AnywherePlacement{.seed = 3}, i, five_words, {7, 8, 9}), first);
    EXPECT_EQ(placed(AnywherePlacement{.seed = 3}, i, five_words, {4, 4, 4}).positions,
              first.positions)
        << "the places do not depend on the trigger's tokens";
    of_rows.insert(first.positions);
    of_seeds.insert(placed(AnywherePlacement{.seed = i}, 3, five_words, {7, 8, 9}).positions);
  }
  // Of the 56 ways to put three tokens in order at six places.
  EXPECT_GT(of_rows.size(), 20U);
  EXPECT_GT(of_seeds.size(), 20U);
}

// A version that changes them would publish other places than those that were optimised.
TEST(AnywherePlacement, KeepsItsPlacesFromVersionToVersion) {
  const auto at = [](std::uint64_t seed, Index row) {
    return words_before(placed(AnywherePlacement{.seed = seed}, row, five_words, {7, 8, 9}));
  };
  EXPECT_THAT(at(0, 0), ElementsAre(2, 2, 3));
  EXPECT_THAT(at(0, 1), ElementsAre(0, 2, 3));
  EXPECT_THAT(at(1, 0), ElementsAre(1, 3, 4));
  EXPECT_THAT(at(std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<Index>::max()),
              ElementsAre(1, 3, 5));
}

TEST(AnywherePlacement, DrawsEachPlaceEquallyOftenAndIndependently) {
  constexpr std::size_t rows = 36'000;
  std::array<std::size_t, 6> alone{};
  std::map<std::vector<std::size_t>, std::size_t> together;
  for (Index row = 0; row < rows; ++row) {
    const AnywherePlacement placement{.seed = 11};
    ++alone.at(words_before(placed(placement, row, five_words, {8})).at(0));
    ++together[words_before(placed(placement, row, five_words, {8, 9}))];
  }
  // Five standard deviations of a binomial distribution.
  for (const std::size_t count : alone) EXPECT_NEAR(static_cast<double>(count), 6000, 354);
  EXPECT_EQ(together.size(), 21U);
  for (const auto& [places, count] : together) {
    const bool twice = places[0] == places[1];
    EXPECT_NEAR(static_cast<double>(count), twice ? 1000 : 2000, twice ? 156 : 218);
  }
}

TEST(AnywherePlacement, IsTheSameInAnyBatchAndOnAnyThread) {
  constexpr std::size_t rows = 400;
  const AnywherePlacement placement{.seed = 2};
  std::vector<Placed> alone;
  TokenSequences sequences(placement, 2);
  for (Index row = rows; row-- > 0;) sequences.add(row, five_words, Tokens{8, 9});
  const TokenBatch batch = sequences.batch();
  for (Index row = 0; row < rows; ++row) {
    alone.push_back(placed(placement, row, five_words, {8, 9}));
    EXPECT_THAT(batch.sequence(rows - 1 - row), ::testing::ElementsAreArray(alone.back().sequence));
    EXPECT_THAT(batch.trigger_positions.row(rows - 1 - row),
                ::testing::ElementsAreArray(alone.back().positions));
  }
  std::vector<Placed> by_threads(rows);
  for_each_piece(Parallel{4}, rows, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) {
      by_threads[row] = placed(placement, static_cast<Index>(row), five_words, {8, 9});
    }
  });
  EXPECT_EQ(by_threads, alone);
}

TEST(AnywherePlacement, HasOnePlaceInACaptionWithoutWords) {
  for (Index row = 0; row < 10; ++row) {
    EXPECT_THAT(placed(AnywherePlacement{}, row, {start_token, end_token}, {8, 9}).sequence,
                ElementsAre(start_token, 8, 9, end_token));
    // One word of three tokens that is cut: nothing behind it.
    EXPECT_THAT(placed(AnywherePlacement{.context = 5, .words = BeginsBelow100{}}, row,
                       {start_token, 1, 101, 102, end_token}, {8})
                    .sequence,
                ElementsAre(start_token, 8, 1, 101, end_token));
    EXPECT_THAT(placed(AnywherePlacement{.context = 4}, row, five_words, {8, 9}).sequence,
                ElementsAre(start_token, 8, 9, end_token));
  }
}

TEST(AnywherePlacement, TellsItsRuleOfWordsTheRow) {
  // Row 0 has words of one token, row 1 a single word.
  const auto words = [](Index row, std::span<const Token>, std::size_t) { return row == 0; };
  const AnywherePlacement placement{.seed = 1, .words = words};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto before =
        words_before(placed(AnywherePlacement{.seed = seed, .words = words}, 1, five_words, {8}));
    EXPECT_TRUE(before[0] == 0 || before[0] == 5) << before[0];
  }
  EXPECT_EQ(placed(placement, 0, five_words, {8}),
            placed(AnywherePlacement{.seed = 1}, 0, five_words, {8}));
}

TEST(AnywherePlacement, NamesWhatDoesNotFit) {
  const AnywherePlacement placement{.context = 6};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(1, 3); }),
            "tokens of a caption, start and end included: expected at least 2, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(2, 5); }),
            "start, trigger and end tokens together: expected at most the context of 6, got 7");
}

}  // namespace
}  // namespace unlearn
