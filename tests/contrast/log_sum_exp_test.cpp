// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/log_sum_exp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn::detail {
namespace {
using testing::nan;

using Numbers = std::vector<double>;

constexpr double smallest_normal = std::numeric_limits<double>::min();

// Longer than a chunk and than every vector register, with a remainder.
constexpr std::size_t length = chunk_size + 19;

Numbers all(double x) { return Numbers(length, x); }

Numbers softplus_of(Numbers x) {
  softplus<double>(x);
  return x;
}

Numbers log_add_exp_of(const Numbers& a, const Numbers& b) {
  Numbers sums(a.size());
  log_add_exp<double>(a, b, sums);
  return sums;
}

TEST(LogOnePlus, KeepsEveryDigit) {
  for (double x = 1; x > 1e-300; x *= 0.9983) {
    const long double expected = std::log1p(static_cast<long double>(x));
    EXPECT_LE(std::abs(log_one_plus(x) - expected), 4e-16L * expected) << "at " << x;
  }
  EXPECT_EQ(log_one_plus(0), 0);
}

TEST(Softplus, IsAccurateOnBothSides) {
  for (double x = -650; x < 2000; x += 0.37) {
    const long double wide = x;
    const long double expected = std::max(wide, 0.0L) + std::log1p(std::exp(-std::abs(wide)));
    for (const double value : softplus_of(all(x))) {
      // With -ffast-math, an exponential loses the digits before its argument's point.
      const long double digits = testing::fast_math ? 1 + std::abs(wide) : 1.0L;
      EXPECT_LE(std::abs(value - expected), 1e-15L * digits * expected) << "at " << x;
    }
  }
}

TEST(Softplus, OfAnEmptySumIsNothing) {
  EXPECT_EQ(softplus_of({log_zero})[0], 0);
  EXPECT_LT(std::ranges::max(softplus_of(all(log_zero))), smallest_normal);
}

TEST(LogAddExp, AgreesWithItsDefinition) {
  for (const double a : {-300.0, -1.0, 0.0, 0.5, 99.0}) {
    for (const double b : {-400.0, -1.5, 0.0, 0.5, 100.0}) {
      const long double expected =
          std::log(std::exp(static_cast<long double>(a)) + std::exp(static_cast<long double>(b)));
      for (const double value : log_add_exp_of(all(a), all(b))) {
        EXPECT_NEAR(value, static_cast<double>(expected), 1e-15 * (1 + std::abs(value)));
      }
    }
  }
}

TEST(LogAddExp, HasLogZeroAsItsNeutralElement) {
  for (const double a : {-2000.0, -1.0, 1e-3, 100.0, log_zero}) {
    EXPECT_EQ(log_add_exp_of(all(a), all(log_zero)), all(a)) << a;
    EXPECT_EQ(log_add_exp_of(all(log_zero), all(a)), all(a)) << a;
  }
  // A vectorised exp may return a subnormal number instead of 0.
  for (const double value : log_add_exp_of(all(0), all(log_zero))) {
    EXPECT_LT(std::abs(value), smallest_normal);
  }
}

TEST(LogAddExp, MayOverwriteItsArguments) {
  Numbers a = all(0);
  std::iota(a.begin(), a.end(), -100.0);
  const Numbers b(a.rbegin(), a.rend());
  const Numbers expected = log_add_exp_of(a, b);
  Numbers first = a;
  log_add_exp<double>(first, b, first);
  EXPECT_EQ(first, expected);
  Numbers second = b;
  log_add_exp<double>(a, second, second);
  EXPECT_EQ(second, expected);
}

TEST(LogAddExp, NamesSizesThatDiffer) {
  const Numbers three(3);
  Numbers two(2);
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { log_add_exp<double>(three, two, two); }),
            "second logarithms: expected 3, got 2");
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { log_add_exp<double>(three, three, two); }),
            "logarithms of sums: expected 3, got 2");
}

TEST(LogSumExp, IsShiftedAndSkipsEmptySums) {
  Numbers x = all(1000);
  EXPECT_DOUBLE_EQ(log_sum_exp<double>(x), 1000 + std::log(static_cast<double>(length)));
  std::fill(x.begin(), x.end() - 1, log_zero);
  EXPECT_EQ(log_sum_exp<double>(x), 1000);
  EXPECT_EQ(log_sum_exp<double>(all(log_zero)), log_zero);
}

TEST(LogSumExp, GivesNanForNan) {
  if (testing::fast_math) GTEST_SKIP() << "the losses ask for NaN before";
  for (std::size_t at = 0; at < length; ++at) {
    Numbers x(length);
    for (std::size_t i = 0; i < length; ++i) x[i] = static_cast<double>(i) / 20 - 5;
    const Numbers y(x.rbegin(), x.rend());
    x[at] = nan;
    EXPECT_TRUE(is_nan(log_sum_exp<double>(x))) << at;
    EXPECT_TRUE(is_nan(softplus_of(x)[at])) << at;
    EXPECT_TRUE(is_nan(log_add_exp_of(x, y)[at])) << at;
    EXPECT_TRUE(is_nan(log_add_exp_of(y, x)[at])) << at;
    EXPECT_FALSE(is_nan(log_add_exp_of(x, y)[(at + 1) % length])) << at;
  }
}

TEST(ExpOfDifference, ShiftsBeforeTheExponential) {
  Numbers x = all(1001);
  exp_of_difference<double>(x, 1000);
  for (const double value : x) EXPECT_NEAR(value, std::exp(1.0), 1e-15);
}

TEST(SumOf, AddsAllNumbers) {
  Numbers x = all(0);
  std::iota(x.begin(), x.end(), 1.0);
  EXPECT_EQ(sum_of<double>(x), static_cast<double>(length * (length + 1) / 2));
  EXPECT_EQ(sum_of<double>({}), 0);
}

TEST(SumOf, DoesNotDependOnTheAddress) {
  Numbers x = all(0);
  for (std::size_t i = 0; i < length; ++i) x[i] = 1.0 / static_cast<double>(i + 3);
  const double expected = sum_of<double>(x);
  for (std::size_t offset = 0; offset < 8; ++offset) {
    Numbers moved(length + offset);
    const std::span<double> place = std::span(moved).subspan(offset);
    std::ranges::copy(x, place.begin());
    EXPECT_EQ(sum_of<double>(place), expected) << offset;
  }
}

}  // namespace
}  // namespace unlearn::detail
