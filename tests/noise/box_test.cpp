// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/box.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "message_of.hpp"
#include "special_numbers.hpp"

namespace {

using unlearn::Box;
using unlearn::testing::infinity;
using unlearn::testing::nan;

TEST(Box, IsTheUnitIntervalUnlessSaid) {
  EXPECT_EQ(Box<float>{}.low, 0);
  EXPECT_EQ(Box<float>{}.high, 1);
}

TEST(Box, MayBeAPointOrUnbounded) {
  EXPECT_NO_THROW((Box<float>{.low = 2, .high = 2}.validate()));
  EXPECT_NO_THROW((Box<double>{.low = -infinity, .high = infinity}.validate()));
}

TEST(Box, RefusesEndsOutOfOrder) {
  const std::string message = unlearn::testing::message_of<unlearn::InvalidArgument>(
      [] { Box<double>{.low = 1, .high = 0.5}.validate(); });
  EXPECT_THAT(message, testing::HasSubstr("at least its low end, 1"));
  EXPECT_THAT(message, testing::HasSubstr("got 0.5"));
}

TEST(Box, RefusesNaN) {
  EXPECT_THROW((Box<double>{.low = nan, .high = 1}.validate()), unlearn::InvalidArgument);
  EXPECT_THROW((Box<double>{.low = 0, .high = nan}.validate()), unlearn::InvalidArgument);
}

}  // namespace
