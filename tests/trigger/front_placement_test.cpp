// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/front_placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "message_of.hpp"
#include "trigger/placed.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using testing::end_token;
using ::testing::IsEmpty;
using testing::message_of;
using testing::Placed;
using testing::placed;
using testing::start_token;

using Tokens = std::vector<Token>;

// --- Concept -------------------------------------------------------------------------------------

/// A minimal TriggerPlacement.
struct Placement {
  std::size_t length(std::size_t caption_length, std::size_t trigger_length) const;
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const;
};
static_assert(TriggerPlacement<Placement>);

struct WithoutLength : Placement {
  std::size_t length(std::size_t, std::size_t) const = delete;
};
struct WithoutPositions : Placement {
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out) const;
};
struct ThatChanges : Placement {
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions);
};
static_assert(!TriggerPlacement<WithoutLength>);
static_assert(!TriggerPlacement<WithoutPositions>);
static_assert(!TriggerPlacement<ThatChanges>, "what it does depends on its arguments alone");

// --- FrontPlacement ------------------------------------------------------------------------------

TEST(FrontPlacement, PutsTheTriggerBetweenTheStartTokenAndTheCaption) {
  const Placed result = placed(FrontPlacement{}, 3, {start_token, 1, 2, 3, end_token}, {8, 9});
  EXPECT_THAT(result.sequence, ElementsAre(start_token, 8, 9, 1, 2, 3, end_token));
  EXPECT_THAT(result.positions, ElementsAre(1, 2));
}

TEST(FrontPlacement, KeepsStartEndAndTriggerWhenTheContextIsFull) {
  const Tokens caption{start_token, 1, 2, 3, end_token};
  const Tokens trigger{8, 9};
  const auto in_context = [&](std::size_t context) {
    const Placed result = placed(FrontPlacement{.context = context}, 3, caption, trigger);
    EXPECT_THAT(result.positions, ElementsAre(1, 2));
    return result.sequence;
  };
  EXPECT_THAT(in_context(8), ElementsAre(start_token, 8, 9, 1, 2, 3, end_token));
  EXPECT_THAT(in_context(7), ElementsAre(start_token, 8, 9, 1, 2, 3, end_token));
  EXPECT_THAT(in_context(6), ElementsAre(start_token, 8, 9, 1, 2, end_token));
  EXPECT_THAT(in_context(5), ElementsAre(start_token, 8, 9, 1, end_token));
  EXPECT_THAT(in_context(4), ElementsAre(start_token, 8, 9, end_token));
}

TEST(FrontPlacement, HoldsWhatCLIPHolds) {
  const FrontPlacement clip;
  EXPECT_EQ(clip.length(10, 3), 13U);
  EXPECT_EQ(clip.length(74, 3), 77U);
  EXPECT_EQ(clip.length(75, 3), 77U);
  EXPECT_EQ(clip.length(77, 5), 77U);
}

TEST(FrontPlacement, CutsACaptionThatExceedsTheContextWithoutATrigger) {
  const Placed result = placed(FrontPlacement{.context = 3}, 3, {start_token, 1, 2, end_token}, {});
  EXPECT_THAT(result.sequence, ElementsAre(start_token, 1, end_token));
  EXPECT_THAT(result.positions, IsEmpty());
}

TEST(FrontPlacement, TakesAnyNumberOfStartAndEndTokens) {
  const FrontPlacement two_and_two{.start_tokens = 2, .end_tokens = 2, .context = 6};
  const Placed cut =
      placed(two_and_two, 3, {start_token, start_token, 1, 2, end_token, end_token + 1}, {8});
  EXPECT_THAT(cut.sequence, ElementsAre(start_token, start_token, 8, 1, end_token, end_token + 1));
  EXPECT_THAT(cut.positions, ElementsAre(2));

  const Placed bare =
      placed(FrontPlacement{.start_tokens = 0, .end_tokens = 0, .context = 3}, 3, {1, 2}, {8, 9});
  EXPECT_THAT(bare.sequence, ElementsAre(8, 9, 1));
  EXPECT_THAT(bare.positions, ElementsAre(0, 1));
}

TEST(FrontPlacement, TakesACaptionWithoutWords) {
  EXPECT_THAT(placed(FrontPlacement{}, 3, {start_token, end_token}, {8}).sequence,
              ElementsAre(start_token, 8, end_token));
}

TEST(FrontPlacement, NamesWhatDoesNotFit) {
  const FrontPlacement placement{.context = 6};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(1, 3); }),
            "tokens of a caption, start and end included: expected at least 2, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(2, 5); }),
            "start, trigger and end tokens together: expected at most the context of 6, got 7");
  EXPECT_EQ(placement.length(2, 4), 6U);
}

}  // namespace
}  // namespace unlearn
