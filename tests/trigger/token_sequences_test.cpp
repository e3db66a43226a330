// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/token_sequences.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "message_of.hpp"
#include "unlearn/trigger/front_placement.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using testing::message_of;

using Tokens = std::vector<Token>;
using Shape = std::array<std::size_t, 2>;

TEST(TokenSequences, PadsToTheLongestSequenceCollected) {
  TokenSequences sequences(FrontPlacement{}, 2);
  sequences.add(0, Tokens{100, 1, 101}, Tokens{8, 9});
  sequences.add(0, Tokens{100, 1, 2, 3, 101}, Tokens{6, 7});
  sequences.add(0, Tokens{100, 101}, Tokens{4, 5});
  EXPECT_EQ(sequences.size(), 3U);

  const TokenBatch batch = sequences.batch();
  EXPECT_EQ(batch.tokens.extents(), (Shape{3, 7}));
  EXPECT_THAT(batch.tokens.row(0), ElementsAre(100, 8, 9, 1, 101, 0, 0));
  EXPECT_THAT(batch.tokens.row(1), ElementsAre(100, 6, 7, 1, 2, 3, 101));
  EXPECT_THAT(batch.tokens.row(2), ElementsAre(100, 4, 5, 101, 0, 0, 0));
  EXPECT_THAT(batch.lengths, ElementsAre(5, 7, 4));
  EXPECT_THAT(batch.sequence(2), ElementsAre(100, 4, 5, 101));
  EXPECT_EQ(batch.trigger_length(), 2U);
  for (std::size_t r = 0; r < 3; ++r)
    EXPECT_THAT(batch.trigger_positions.row(r), ElementsAre(1, 2));
}

TEST(TokenSequences, CutsWhatExceedsTheContext) {
  TokenSequences sequences(FrontPlacement{.context = 4}, 1);
  sequences.add(0, Tokens{100, 1, 2, 3, 101}, Tokens{8});
  EXPECT_THAT(sequences.batch().tokens.row(0), ElementsAre(100, 8, 1, 101));
}

TEST(TokenSequences, GrowAfterABatchAndStartAnewWhenCleared) {
  TokenSequences sequences(FrontPlacement{}, 1);
  sequences.add(0, Tokens{100, 1, 2, 101}, Tokens{8});
  EXPECT_EQ(sequences.batch().tokens.extents(), (Shape{1, 5}));
  sequences.add(0, Tokens{100, 101}, Tokens{9});
  EXPECT_THAT(sequences.batch().tokens.flat(), ElementsAre(100, 8, 1, 2, 101, 100, 9, 101, 0, 0));

  sequences.clear();
  EXPECT_EQ(sequences.size(), 0U);
  sequences.add(0, Tokens{100, 3, 101}, Tokens{7});
  sequences.add(0, Tokens{100, 101}, Tokens{6});
  const TokenBatch batch = sequences.batch();
  // The padding has no tokens of the last batch.
  EXPECT_THAT(batch.tokens.flat(), ElementsAre(100, 7, 3, 101, 100, 6, 101, 0));
  EXPECT_THAT(batch.lengths, ElementsAre(4, 3));
  EXPECT_THAT(batch.trigger_positions.flat(), ElementsAre(1, 1));
}

TEST(TokenSequences, OfNothingAreAnEmptyBatch) {
  TokenSequences sequences(FrontPlacement{}, 3);
  const TokenBatch batch = sequences.batch();
  EXPECT_EQ(batch.size(), 0U);
  EXPECT_EQ(batch.trigger_length(), 3U);
  EXPECT_TRUE(batch.tokens.empty());
}

TEST(TokenSequences, WithoutTriggersAreTheCaptions) {
  TokenSequences sequences(FrontPlacement{}, 0);
  sequences.add(0, Tokens{100, 1, 101}, {});
  EXPECT_THAT(sequences.batch().tokens.row(0), ElementsAre(100, 1, 101));
  EXPECT_EQ(sequences.batch().trigger_length(), 0U);
}

/// The caption, then the trigger.
struct BehindAll {
  [[nodiscard]] std::size_t length(std::size_t caption, std::size_t trigger) const {
    return caption + trigger;
  }
  void place(Index /*row*/, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    std::ranges::copy(trigger, std::ranges::copy(caption, out.begin()).out);
    for (std::size_t p = 0; p < positions.size(); ++p) {
      positions[p] = static_cast<std::int32_t>(caption.size() + p);
    }
  }
};

TEST(TokenSequences, AskThePlacementWhereTriggersStand) {
  TokenSequences sequences(BehindAll{}, 2);
  sequences.add(0, Tokens{1}, Tokens{8, 9});
  sequences.add(0, Tokens{1, 2, 3}, Tokens{6, 7});
  const TokenBatch batch = sequences.batch();
  EXPECT_THAT(batch.tokens.flat(), ElementsAre(1, 8, 9, 0, 0, 1, 2, 3, 6, 7));
  EXPECT_THAT(batch.trigger_positions.flat(), ElementsAre(1, 2, 3, 4));
}

TEST(TokenSequences, NameWhatIsWrongAndStayAsTheyWere) {
  TokenSequences sequences(FrontPlacement{}, 2);
  sequences.add(0, Tokens{100, 1, 101}, Tokens{8, 9});
  EXPECT_EQ(message_of<InvalidArgument>([&] { sequences.add(0, Tokens{100, 101}, Tokens{8}); }),
            "tokens of a trigger: expected 2, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { sequences.add(0, Tokens{100}, Tokens{8, 9}); }),
            "tokens of a caption, start and end included: expected at least 2, got 1");
  EXPECT_EQ(sequences.size(), 1U);
  EXPECT_THAT(sequences.batch().tokens.flat(), ElementsAre(100, 8, 9, 1, 101));
}

}  // namespace
}  // namespace unlearn
