// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/box.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::StartsWith;
using unlearn::Box;
using unlearn::InvalidArgument;
using unlearn::require_in_box;
using unlearn::View;
using unlearn::testing::infinity;
using unlearn::testing::infinity_f;
using unlearn::testing::message_of;
using unlearn::testing::nan;
using unlearn::testing::nan_f;

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

TEST(Box, ContainsItsEndsAndWhatLiesBetween) {
  const Box<float> box{.low = -1, .high = 2};
  EXPECT_TRUE(box.contains(std::vector<float>{-1, 0, 2}));
  EXPECT_TRUE(box.contains({}));
  EXPECT_FALSE(box.contains(std::vector<float>{0, std::nextafter(-1.0F, -2.0F)}));
  EXPECT_FALSE(box.contains(std::vector<float>{std::nextafter(2.0F, 3.0F), 0}));
}

TEST(Box, ContainsNeitherNaNNorInfinity) {
  for (const float spoilt : {nan_f, -nan_f, infinity_f, -infinity_f}) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::vector<float> numbers(40, 0.5F);
      numbers[at] = spoilt;
      EXPECT_FALSE(Box<float>{}.contains(numbers));
      EXPECT_FALSE((Box<float>{.low = -infinity_f, .high = infinity_f}.contains(numbers)));
    }
  }
  EXPECT_TRUE((Box<float>{.low = -infinity_f, .high = infinity_f}.contains(
      std::vector<float>{-1e38F, 1e38F})));
}

TEST(RequireInBox, NamesRowNumberValueAndBounds) {
  std::vector<double> numbers(12, 0.5);
  const View<const double, 2> signals(numbers.data(), {3, 4});
  const auto refused = [&](const Box<double>& box) {
    return message_of<InvalidArgument>([&] { require_in_box(box, signals); });
  };
  const Box<double> box{.low = 0.25, .high = 1};
  EXPECT_NO_THROW(require_in_box(box, signals));
  numbers[10] = 1.0000001;
  numbers[11] = 7;
  EXPECT_EQ(refused(box),
            "signal 2, number 2: expected 0.25 to 1, as the box says (scale the signals to it, or "
            "set another box), got 1.0000001");
  numbers[4] = -255;
  EXPECT_THAT(refused(box), AllOf(StartsWith("signal 1, number 0: "), EndsWith("got -255")));
  numbers[3] = nan;
  EXPECT_THAT(refused(box), AllOf(StartsWith("signal 0, number 3: "), EndsWith("got nan")));
  numbers[3] = -infinity;
  EXPECT_THAT(
      refused({.low = -infinity, .high = infinity}),
      AllOf(StartsWith("signal 0, number 3: expected -inf to inf, "), EndsWith("got -inf")));
}

}  // namespace
