// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/random.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

/// A generator with the range [Min, Max] that returns given numbers in order.
template <std::uint64_t Min, std::uint64_t Max>
class Script {
 public:
  using result_type = std::uint64_t;
  explicit Script(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  static constexpr result_type min() { return Min; }
  static constexpr result_type max() { return Max; }
  result_type operator()() { return numbers_.at(drawn_++); }
  [[nodiscard]] std::size_t drawn() const { return drawn_; }

 private:
  std::vector<std::uint64_t> numbers_;
  std::size_t drawn_ = 0;
};
using FullScript = Script<0, std::numeric_limits<std::uint64_t>::max()>;

TEST(RandomBits, AreOneDrawOfA64BitGenerator) {
  std::mt19937_64 rng(5);
  std::mt19937_64 same(5);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(random_bits(rng), same());
}

TEST(RandomBits, PutNarrowDrawsTogetherFirstOnesHighest) {
  Script<0, 0xFFFFFFFFU> halves({0x01234567U, 0x89ABCDEFU});
  EXPECT_EQ(random_bits(halves), 0x0123456789ABCDEFU);
  Script<0, 0xFFU> bytes({0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF});
  EXPECT_EQ(random_bits(bytes), 0x0123456789ABCDEFU);
}

TEST(RandomBits, DropTheOldestWhenTheWidthDoesNotDivide64) {
  // Each draw has 31 bits. Of the first draw, the lowest two are used.
  constexpr std::uint64_t most = 0x7FFFFFFF;
  Script<0, most> rng({0b01, 0, most});
  EXPECT_EQ(random_bits(rng), (std::uint64_t{1} << 62U) | most);
}

TEST(RandomBits, CountFromTheGeneratorsLeastNumber) {
  Script<1, 0x100000000U> rng({1, 0x100000000U});
  EXPECT_EQ(random_bits(rng), 0x00000000FFFFFFFFU);
}

TEST(UniformBelow, RejectsExactlyTheDrawsThatWouldFavourSomeNumbers) {
  // 2^64 = 1 (mod 3). So 0 is rejected, and the number of other values is a multiple of 3.
  FullScript rejected({0, 7});
  EXPECT_EQ(uniform_below(3, rejected), 1U);
  EXPECT_EQ(rejected.drawn(), 2U);
  FullScript accepted({1});
  EXPECT_EQ(uniform_below(3, accepted), 1U);
  // 2^64 = 6 (mod 10).
  FullScript several({5, 0, 6});
  EXPECT_EQ(uniform_below(10, several), 6U);
  EXPECT_EQ(several.drawn(), 3U);
}

TEST(UniformBelow, RejectsNothingForAPowerOfTwo) {
  FullScript rng({0, 0xFFFFFFFFFFFFFFFFU});
  EXPECT_EQ(uniform_below(8, rng), 0U);
  EXPECT_EQ(uniform_below(8, rng), 7U);
}

TEST(UniformBelow, RejectsABoundOfZero) {
  FullScript rng({1});
  EXPECT_THAT(
      [&] { (void)uniform_below(0, rng); },
      ThrowsMessage<InvalidArgument>(StrEq("bound of a random draw: expected at least 1, got 0")));
}

/// A generator that is out of order: it always returns the same number.
struct Stuck {
  using result_type = std::uint64_t;
  result_type number = 0;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() const { return number; }
};

TEST(UniformBelow, GivesUpOnAGeneratorThatIsStuck) {
  Stuck rng;
  EXPECT_THAT([&] { (void)uniform_below(3, rng); },
              ThrowsMessage<InvalidArgument>(
                  StrEq("random generator: expected one whose draws vary, such as a seeded "
                        "std::mt19937_64, got 256 unusable draws in a row")));
  std::array<int, 3> items{1, 2, 3};
  EXPECT_THROW(shuffle(std::span<int>(items), rng), InvalidArgument);
  Stuck above{.number = 5};
  EXPECT_EQ(uniform_below(3, above), 2U) << "no draw is rejected";
}

TEST(UniformBelow, GoesOnThroughMoreRejectedDrawsThanEverComeInARow) {
  std::vector<std::uint64_t> draws(255, 0);
  draws.push_back(7);
  FullScript rng(draws);
  EXPECT_EQ(uniform_below(3, rng), 1U);
  EXPECT_EQ(rng.drawn(), 256U);
}

TEST(Shuffle, GivesEachOrderForExactlyOneSequenceOfDraws) {
  // 3 items need a draw below 3 and one below 2. Below 3, a draw of 0 would be rejected.
  std::set<std::array<int, 3>> orders;
  for (std::uint64_t first = 3; first < 6; ++first) {
    for (std::uint64_t second = 0; second < 2; ++second) {
      FullScript rng({first, second});
      std::array<int, 3> items{1, 2, 3};
      shuffle(std::span<int>(items), rng);
      EXPECT_EQ(rng.drawn(), 2U);
      orders.insert(items);
    }
  }
  EXPECT_EQ(orders.size(), 6U);
}

TEST(Shuffle, IsTheSameWithEveryStandardLibrary) {
  // The algorithm's result, from a separate implementation in Python.
  std::array<int, 10> items{};
  std::iota(items.begin(), items.end(), 0);
  SplitMix64 rng(2024);
  shuffle(std::span<int>(items), rng);
  EXPECT_THAT(items, ElementsAre(9, 0, 6, 3, 4, 2, 5, 7, 8, 1));
}

TEST(Shuffle, DrawsNothingForOneItemOrNone) {
  FullScript rng({});
  std::array<int, 1> one{4};
  EXPECT_NO_THROW(shuffle(std::span<int>(one), rng));
  EXPECT_NO_THROW(shuffle(std::span<int>(), rng));
  EXPECT_THAT(one, ElementsAre(4));
}

TEST(SplitMix64, GivesThePublishedSequence) {
  // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
  SplitMix64 rng(1234567);
  const std::array<std::uint64_t, 5> drawn{rng(), rng(), rng(), rng(), rng()};
  EXPECT_THAT(drawn, ElementsAre(6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                 4593380528125082431U, 16408922859458223821U));
}

static_assert(std::uniform_random_bit_generator<SplitMix64>);
static_assert(SplitMix64::min() == 0 && SplitMix64::max() == ~std::uint64_t{0});

}  // namespace
}  // namespace unlearn
