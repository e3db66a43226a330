// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/caption_shuffle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::vector<Index> drawn(std::size_t size, std::mt19937_64& rng, CaptionShuffle shuffle = {}) {
  std::vector<Index> caption_of(size, 12345);
  shuffle(caption_of, rng);
  return caption_of;
}

TEST(CaptionShuffle, WritesAPermutation) {
  std::mt19937_64 rng(1);
  for (int draw = 0; draw < 20; ++draw) {
    EXPECT_THAT(drawn(7, rng), UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6));
  }
  EXPECT_THAT(drawn(1, rng), ElementsAre(0));
  EXPECT_TRUE(drawn(0, rng).empty());
}

TEST(CaptionShuffle, DrawsEveryPermutationEquallyOften) {
  std::mt19937_64 rng(2);
  constexpr int draws = 24000;
  std::map<std::vector<Index>, int> counts;
  for (int draw = 0; draw < draws; ++draw) ++counts[drawn(4, rng)];
  ASSERT_EQ(counts.size(), 24U);
  double chi_square = 0;
  for (const auto& [permutation, count] : counts) {
    const double expected = draws / 24.0;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom: exceeded once in a thousand seeds
}

TEST(CaptionShuffle, IsFreshEachTimeAndFollowsTheGenerator) {
  std::mt19937_64 rng(3);
  const std::vector<Index> first = drawn(50, rng);
  const std::vector<Index> second = drawn(50, rng);
  EXPECT_NE(first, second);
  rng.seed(3);
  EXPECT_EQ(drawn(50, rng), first);
  EXPECT_EQ(drawn(50, rng), second);
}

TEST(CaptionShuffle, KeepsTheOrderAndDrawsNothingWhenOff) {
  std::mt19937_64 rng(4);
  const std::mt19937_64 untouched = rng;
  EXPECT_THAT(drawn(5, rng, {.enabled = false}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(rng, untouched);
  EXPECT_NE(drawn(50, rng), drawn(50, rng, {.enabled = false}));
  EXPECT_NE(rng, untouched);
}

}  // namespace
}  // namespace unlearn
