// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::message_of;

static_assert(PixelBatch::unit == 1.0 / 255 && FloatBatch::unit == 1);
static_assert(SignalBatch<double, double>::unit == 1);
static_assert(std::same_as<PixelBatch, SignalBatch<std::uint8_t, std::int8_t>>);
static_assert(std::is_trivially_copyable_v<PixelBatch> && std::is_trivially_copyable_v<TokenBatch>);

TEST(SignalBatch, OnThePixelLatticeIsASumOfLevelsOver255) {
  if (testing::fast_math) GTEST_SKIP() << "divides by reciprocals";
  const std::vector<std::uint8_t> clean{0, 100, 255, 8, 247, 51};
  const std::vector<std::int8_t> noise{0, -8, 0, -8, 8, 0};
  const PixelBatch batch{.clean = {clean.data(), {2, 3}}, .noise = {noise.data(), {2, 3}}};
  EXPECT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch.elements(), 3U);
  EXPECT_EQ(batch.perturbed(),
            (Matrix{{0.0F, 92.0F / 255.0F, 1.0F}, {0.0F, 1.0F, 51.0F / 255.0F}}));
}

TEST(SignalBatch, IsExactForEveryLevel) {
  std::vector<std::uint8_t> clean;
  std::vector<std::int8_t> noise;
  for (int sum = 0; sum < 256; ++sum) {
    const int delta = sum < 128 ? sum - 127 : sum - 128;
    clean.push_back(static_cast<std::uint8_t>(sum - delta));
    noise.push_back(static_cast<std::int8_t>(delta));
  }
  const PixelBatch batch{.clean = {clean.data(), {1, 256}}, .noise = {noise.data(), {1, 256}}};
  const Matrix perturbed = batch.perturbed();
  for (int sum = 0; sum < 256; ++sum) {
    EXPECT_EQ(perturbed(0, sum), static_cast<float>(sum) / 255.0F);
  }
}

TEST(SignalBatch, OfFloatsIsASum) {
  const std::vector<float> clean{0.25F, -3.0F};
  const std::vector<float> noise{0.5F, 4.0F};
  const FloatBatch batch{.clean = {clean.data(), {2, 1}}, .noise = {noise.data(), {2, 1}}};
  EXPECT_EQ(batch.perturbed(), (Matrix{{0.75F}, {1.0F}}));
}

TEST(SignalBatch, OfDoublesIsPerturbedInFloats) {
  const std::vector<double> clean{0.25};
  const std::vector<double> noise{0.5};
  const SignalBatch<double, double> batch{.clean = {clean.data(), {1, 1}},
                                          .noise = {noise.data(), {1, 1}}};
  static_assert(std::same_as<decltype(batch.perturbed()), Matrix>);
  EXPECT_EQ(batch.perturbed()(0, 0), 0.75F);
}

TEST(SignalBatch, WithoutNoiseIsClean) {
  if (testing::fast_math) GTEST_SKIP() << "divides by reciprocals";
  const std::vector<std::uint8_t> pixels{0, 255, 51, 102};
  const PixelBatch batch{.clean = {pixels.data(), {2, 2}}, .noise = {}};
  EXPECT_EQ(batch.perturbed(), (Matrix{{0.0F, 1.0F}, {51.0F / 255.0F, 102.0F / 255.0F}}));
  const std::vector<float> floats{0.25F, -3.0F};
  EXPECT_EQ((FloatBatch{.clean = {floats.data(), {1, 2}}, .noise = {}}.perturbed()),
            (Matrix{{0.25F, -3.0F}}));
}

TEST(TokenBatch, CutsThePaddingOffASequence) {
  const std::vector<Token> tokens{1, 7, 8, 2, 1, 9, 2, 0};
  const std::vector<std::int32_t> lengths{4, 3};
  const std::vector<std::int32_t> positions{1, 1};
  const TokenBatch batch{.tokens = {tokens.data(), {2, 4}},
                         .lengths = lengths,
                         .trigger_positions = {positions.data(), {2, 1}}};
  EXPECT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch.trigger_length(), 1U);
  EXPECT_THAT(batch.sequence(0), ElementsAre(1, 7, 8, 2));
  EXPECT_THAT(batch.sequence(1), ElementsAre(1, 9, 2));
}

TEST(TokenBatch, HasNoTriggersUnlessItIsToldWhereTheyStand) {
  const std::vector<Token> tokens{1, 2};
  const std::vector<std::int32_t> lengths{2, 0};
  const TokenBatch batch{.tokens = {tokens.data(), {2, 1}}, .lengths = lengths};
  EXPECT_EQ(batch.trigger_length(), 0U);
  EXPECT_THAT(batch.sequence(1), IsEmpty());
}

TEST(RequireNumbered, TakesAsManyAsAnIndexCanNumber) {
  EXPECT_NO_THROW(require_numbered("rows", 4'294'967'295));
  EXPECT_EQ(message_of<InvalidArgument>([] { require_numbered("rows", 4'294'967'296); }),
            "rows: expected at most 2^32 - 1 = 4294967295 (split the data set), got 4294967296");
}

}  // namespace
}  // namespace unlearn
