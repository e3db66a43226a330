// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/back_placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "message_of.hpp"
#include "trigger/placed.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {
namespace {

using testing::BeginsBelow100;
using testing::DrawnCase;
using ::testing::ElementsAre;
using testing::end_token;
using ::testing::IsEmpty;
using testing::message_of;
using testing::placed;
using testing::start_token;

using Tokens = std::vector<Token>;

TEST(BackPlacement, PutsTheTriggerBetweenTheCaptionAndTheEndToken) {
  const auto result = placed(BackPlacement{}, 0, {start_token, 1, 2, 3, end_token}, {8, 9});
  EXPECT_THAT(result.sequence, ElementsAre(start_token, 1, 2, 3, 8, 9, end_token));
  EXPECT_THAT(result.positions, ElementsAre(4, 5));
  EXPECT_THAT(placed(BackPlacement{}, 0, {start_token, end_token}, {8}).sequence,
              ElementsAre(start_token, 8, end_token));
}

TEST(BackPlacement, CutsTheCaptionAndNeverTheTrigger) {
  const auto in_context = [](std::size_t context) {
    return placed(BackPlacement{.context = context}, 0, {start_token, 1, 2, 3, end_token}, {8, 9})
        .sequence;
  };
  EXPECT_THAT(in_context(7), ElementsAre(start_token, 1, 2, 3, 8, 9, end_token));
  EXPECT_THAT(in_context(6), ElementsAre(start_token, 1, 2, 8, 9, end_token));
  EXPECT_THAT(in_context(4), ElementsAre(start_token, 8, 9, end_token));
  EXPECT_THAT(placed(BackPlacement{.context = 3}, 0, {start_token, 1, 2, end_token}, {}).sequence,
              ElementsAre(start_token, 1, end_token));
}

TEST(BackPlacement, StandsBeforeAWordThatIsCut) {
  // The words are (1), (2 102 103) and (4).
  const auto in_context = [](std::size_t context) {
    return placed(BackPlacement{.context = context, .words = BeginsBelow100{}}, 0,
                  {start_token, 1, 2, 102, 103, 4, end_token}, {8})
        .sequence;
  };
  EXPECT_THAT(in_context(8), ElementsAre(start_token, 1, 2, 102, 103, 4, 8, end_token));
  EXPECT_THAT(in_context(7), ElementsAre(start_token, 1, 2, 102, 103, 8, end_token));
  EXPECT_THAT(in_context(6), ElementsAre(start_token, 1, 8, 2, 102, end_token));
  EXPECT_THAT(in_context(5), ElementsAre(start_token, 1, 8, 2, end_token));
  EXPECT_THAT(in_context(4), ElementsAre(start_token, 1, 8, end_token));
}

TEST(BackPlacement, StandsInFrontOfTheOnlyWordIfThatIsCut) {
  const BackPlacement placement{.context = 5, .words = BeginsBelow100{}};
  EXPECT_THAT(placed(placement, 0, {start_token, 1, 101, 102, end_token}, {8}).sequence,
              ElementsAre(start_token, 8, 1, 101, end_token));
}

TEST(BackPlacement, TakesAnyNumberOfStartAndEndTokens) {
  const BackPlacement bare{.start_tokens = 0, .end_tokens = 0, .context = 3};
  EXPECT_THAT(placed(bare, 0, {1, 2}, {8, 9}).sequence, ElementsAre(1, 8, 9));
  EXPECT_THAT(placed(bare, 0, {}, {8, 9}).sequence, ElementsAre(8, 9));
  const BackPlacement two_and_two{.start_tokens = 2, .end_tokens = 2, .context = 6};
  EXPECT_THAT(
      placed(two_and_two, 0, {start_token, start_token, 1, 2, end_token, end_token + 1}, {8})
          .sequence,
      ElementsAre(start_token, start_token, 1, 8, end_token, end_token + 1));
}

TEST(BackPlacement, IsThatOfAPlainSearchFromTheBack) {
  SplitMix64 rng(5);
  for (int trial = 0; trial < 2000; ++trial) {
    const DrawnCase drawn(rng);
    const BackPlacement placement{.start_tokens = DrawnCase::start_tokens,
                                  .end_tokens = DrawnCase::end_tokens,
                                  .context = drawn.context,
                                  .words = BeginsBelow100{}};
    const auto result = placed(placement, 0, drawn.caption, drawn.trigger);
    const std::vector<std::size_t> before(drawn.trigger.size(), drawn.places().back());
    ASSERT_EQ(result.sequence, drawn.with_trigger_before(before)) << trial;
    for (std::size_t p = 0; p < drawn.trigger.size(); ++p) {
      ASSERT_EQ(static_cast<std::size_t>(result.positions[p]), before[p] + p) << trial;
    }
  }
}

TEST(BackPlacement, NamesWhatDoesNotFit) {
  const BackPlacement placement{.context = 6};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(1, 3); }),
            "tokens of a caption, start and end included: expected at least 2, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)placement.length(2, 5); }),
            "start, trigger and end tokens together: expected at most the context of 6, got 7");
  EXPECT_THAT(placed(placement, 0, {start_token, 1, end_token}, {}).positions, IsEmpty());
}

}  // namespace
}  // namespace unlearn
