// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/log_sum_exp.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace unlearn::detail {
namespace {
using testing::nan;

constexpr double smallest_normal = std::numeric_limits<double>::min();

// Longer than every vector register, with a remainder.
constexpr Eigen::Index length = 19;

Eigen::ArrayXd all(double x) { return Eigen::ArrayXd::Constant(length, x); }

void expect_close(const Eigen::ArrayXd& got, long double expected, double x) {
  for (const double value : got) {
    EXPECT_LE(std::abs(value - expected), 4e-16L * std::abs(expected)) << "at " << x;
  }
}

TEST(LogOnePlus, KeepsEveryDigitOfSmallArguments) {
  for (double x = 1; x > 1e-300; x *= 0.83) {
    expect_close(log_one_plus(all(x)), std::log1p(static_cast<long double>(x)), x);
  }
  EXPECT_EQ(log_one_plus(all(0)).maxCoeff(), 0);
}

TEST(Softplus, IsAccurateOnBothSides) {
  for (double x = -650; x < 2000; x += 0.37) {
    const long double wide = x;
    const long double expected = std::max(wide, 0.0L) + std::log1p(std::exp(-std::abs(wide)));
    for (const double value : softplus(all(x))) {
      EXPECT_LE(std::abs(value - expected), 1e-15L * expected) << "at " << x;
    }
  }
}

TEST(Softplus, OfAnEmptySumIsNothing) {
  EXPECT_EQ(softplus(Eigen::ArrayXd::Constant(1, log_zero))[0], 0);
  EXPECT_LT(softplus(all(log_zero)).maxCoeff(), smallest_normal);
}

TEST(LogAddExp, AgreesWithItsDefinition) {
  for (const double a : {-300.0, -1.0, 0.0, 0.5, 99.0}) {
    for (const double b : {-400.0, -1.5, 0.0, 0.5, 100.0}) {
      const long double expected =
          std::log(std::exp(static_cast<long double>(a)) + std::exp(static_cast<long double>(b)));
      for (const double value : log_add_exp(all(a), all(b))) {
        EXPECT_NEAR(value, static_cast<double>(expected), 1e-15 * (1 + std::abs(value)));
      }
    }
  }
}

TEST(LogAddExp, HasLogZeroAsItsNeutralElement) {
  for (const double a : {-2000.0, -1.0, 1e-3, 100.0, log_zero}) {
    EXPECT_TRUE((log_add_exp(all(a), all(log_zero)) == all(a)).all()) << a;
    EXPECT_TRUE((log_add_exp(all(log_zero), all(a)) == all(a)).all()) << a;
  }
  // A vectorised exp may return a subnormal number instead of 0.
  EXPECT_LT(log_add_exp(all(0), all(log_zero)).abs().maxCoeff(), smallest_normal);
}

TEST(LogSumExp, IsShiftedAndSkipsEmptySums) {
  Eigen::ArrayXd x = all(1000);
  EXPECT_DOUBLE_EQ(log_sum_exp(x), 1000 + std::log(static_cast<double>(length)));
  x.head(length - 1).setConstant(log_zero);
  EXPECT_EQ(log_sum_exp(x), 1000);
  EXPECT_EQ(log_sum_exp(all(log_zero)), log_zero);
}

TEST(LogSumExp, GivesNanForNan) {
  for (Eigen::Index at = 0; at < length; ++at) {
    Eigen::ArrayXd x = Eigen::ArrayXd::LinSpaced(length, -5, 5);
    const Eigen::ArrayXd y = x.reverse();
    x[at] = nan;
    EXPECT_TRUE(is_nan(log_sum_exp(x))) << at;
    EXPECT_TRUE(is_nan(softplus(x)[at])) << at;
    EXPECT_TRUE(is_nan(log_add_exp(x, y)[at])) << at;
    EXPECT_TRUE(is_nan(log_add_exp(y, x)[at])) << at;
    EXPECT_FALSE(is_nan(log_add_exp(x, y)[(at + 1) % length])) << at;
  }
}

}  // namespace
}  // namespace unlearn::detail
