// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <stdexcept>
#include <string>

namespace unlearn {
namespace {

using ::testing::StrEq;
using ::testing::ThrowsMessage;

TEST(Error, IsARuntimeErrorOfTwoKinds) {
  static_assert(std::derived_from<Error, std::runtime_error>);
  static_assert(std::derived_from<InvalidArgument, Error>);
  static_assert(std::derived_from<FileError, Error>);
  static_assert(!std::derived_from<FileError, InvalidArgument>);
  EXPECT_THAT([] { throw FileError("noise.npy: expected a file"); },
              ThrowsMessage<Error>(StrEq("noise.npy: expected a file")));
}

TEST(Expectation, SaysTheThingWhatWasExpectedAndWhatCame) {
  EXPECT_EQ(expectation("radius", "a positive number", -0.5),
            "radius: expected a positive number, got -0.500000");
  EXPECT_EQ(expectation("rows", 3, std::string("none")), "rows: expected 3, got none");
}

TEST(Require, ThrowsOnlyWhenTheConditionFails) {
  EXPECT_NO_THROW(require(true, "rounds", "at least 1", 1));
  EXPECT_THAT([] { require(false, "rounds", "at least 1", 0); },
              ThrowsMessage<InvalidArgument>(StrEq("rounds: expected at least 1, got 0")));
}

TEST(RequireSize, ThrowsUnlessTheSizesAgree) {
  EXPECT_NO_THROW(require_size("rows", 4, 4));
  EXPECT_THAT([] { require_size("rows", 4, 5); },
              ThrowsMessage<InvalidArgument>(StrEq("rows: expected 4, got 5")));
}

}  // namespace
}  // namespace unlearn
