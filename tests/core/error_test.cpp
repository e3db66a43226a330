// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstddef>
#include <limits>
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

TEST(RequireAddressable, MultipliesUpToWhatMemoryCanBeAddressedFor) {
  constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  EXPECT_EQ(require_addressable<char>("rows", 3, 4), 12U);
  EXPECT_EQ(require_addressable<char>("rows", most, 1), most);
  EXPECT_EQ(require_addressable<char>("rows", 2 * most, 0), 0U);
  EXPECT_EQ(require_addressable<int>("rows", most / 8, 2), most / 8 * 2);
  EXPECT_THAT([] { (void)require_addressable<int>("rows", most / 8 + 1, 2); },
              ThrowsMessage<InvalidArgument>(
                  StrEq("rows: expected at most 1152921504606846975, got 1152921504606846976")));
  EXPECT_THROW((void)require_addressable<char>("rows", most / 2 + 1, 4), InvalidArgument)
      << "the product overflows to 0";
}

}  // namespace
}  // namespace unlearn
