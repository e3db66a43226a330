// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/number_text.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <random>

namespace unlearn::detail {
namespace {

TEST(NumberText, ReadsBackEveryDoubleToTheLastBit) {
  std::mt19937_64 rng(2);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(rng());
    const bool subnormal = (std::bit_cast<std::uint64_t>(number) >> 52U) % 2048 == 0;
    if (testing::fast_math && subnormal) continue;  // it is 0
    double back = 0;
    ASSERT_TRUE(parse_number(number_text(number), back)) << number_text(number);
    if (is_nan(number)) {
      ASSERT_TRUE(is_nan(back));
    } else {
      ASSERT_EQ(std::bit_cast<std::uint64_t>(number), std::bit_cast<std::uint64_t>(back));
    }
  }
}

TEST(NumberText, ReadsBackTheLargestIntegers) {
  constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t back = 0;
  EXPECT_TRUE(parse_number(number_text(largest), back));
  EXPECT_EQ(back, largest);
}

TEST(NumberText, RefusesWhatIsNotOneNumber) {
  std::uint32_t number = 0;
  for (const char* text : {"", " 1", "1 ", "x", "1x", "-1", "4294967296", "1.5"}) {
    EXPECT_FALSE(parse_number(text, number)) << text;
  }
}

TEST(NumberText, RoundsForPeople) {
  EXPECT_EQ(rounded_text(1.0 / 3, 4), "0.3333");
  EXPECT_EQ(rounded_text(1234.5678, 3), "1.23e+03");
}

TEST(DurationText, HasHoursWhereThereAreSome) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(8.4), "0:08");
  EXPECT_EQ(duration_text(59.5), "1:00");
  EXPECT_EQ(duration_text(3599.4), "59:59");
  EXPECT_EQ(duration_text(3751), "1:02:31");
}

TEST(DurationText, StaysInItsRange) {
  EXPECT_EQ(duration_text(-5), "0:00");
  EXPECT_EQ(duration_text(1e300), "999:00:00");
}

TEST(HexText, HasAlwaysSixteenDigits) {
  EXPECT_EQ(hex_text(0), "0000000000000000");
  EXPECT_EQ(hex_text(0x0123456789ABCDEF), "0123456789abcdef");
}

}  // namespace
}  // namespace unlearn::detail
