// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/number_text.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <string_view>

namespace unlearn::detail {
namespace {

/// With each standard library, also what is used where std::from_chars is missing.
constexpr std::array<bool (*)(std::string_view, double&), 2> parsers{&parse_number<double>,
                                                                     &parse_floating<double>};

TEST(NumberText, ReadsBackEveryDoubleToTheLastBit) {
  std::mt19937_64 rng(2);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(rng());
    const bool subnormal = (std::bit_cast<std::uint64_t>(number) >> 52U) % 2048 == 0;
    if (testing::fast_math && subnormal) continue;  // it is 0
    for (const auto parse : parsers) {
      double back = 0;
      ASSERT_TRUE(parse(number_text(number), back)) << number_text(number);
      if (is_nan(number)) {
        ASSERT_TRUE(is_nan(back));
      } else {
        ASSERT_EQ(std::bit_cast<std::uint64_t>(number), std::bit_cast<std::uint64_t>(back));
      }
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

TEST(NumberText, RefusesWhatIsNotOneFloatingPointNumber) {
  for (const auto parse : parsers) {
    double number = 0;
    for (const char* text : {"", "-", " 1", "1 ", "+1", "-+1", "--1", "x", "1x", "0x10", "1.5.2",
                             "1,5", "1e", "1e999", "-1e999", "nano"}) {
      EXPECT_FALSE(parse(text, number)) << text;
    }
    EXPECT_TRUE(parse("-1.5e-3", number));
    EXPECT_EQ(number, -0.0015);
    EXPECT_TRUE(parse("-inf", number));
    EXPECT_EQ(number, -positive_infinity<double>());
  }
  float single = 0;
  EXPECT_TRUE(parse_number("0.1", single));
  EXPECT_EQ(single, 0.1F);
  EXPECT_TRUE(parse_floating("0.1", single));
  EXPECT_EQ(single, 0.1F);
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
