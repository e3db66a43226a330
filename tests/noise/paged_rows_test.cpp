// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/detail/paged_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace unlearn::detail {
namespace {

using ::testing::Each;

TEST(PagedRows, KeepsEachRowInItsPlace) {
  // Rows of 0.4, 1 and 2.5 blocks, and of one number.
  for (const std::size_t elements :
       {std::size_t{1}, std::size_t{419'430}, std::size_t{1} << 20U, std::size_t{5} << 19U}) {
    PagedRows<std::int8_t> rows(elements);
    for (std::size_t i = 0; i < 7; ++i) {
      rows.reserve(i + 1);
      ASSERT_EQ(rows.row(i).size(), elements);
      EXPECT_EQ(rows.row(i).front(), 0);
      EXPECT_EQ(rows.row(i).back(), 0);
      std::ranges::fill(rows.row(i), static_cast<std::int8_t>(i + 1));
    }
    const PagedRows<std::int8_t> moved = std::move(rows);
    for (std::size_t i = 0; i < 7; ++i) {
      EXPECT_EQ(std::ranges::count(moved.row(i), static_cast<std::int8_t>(i + 1)), elements);
    }
  }
}

TEST(PagedRows, AreZeroAgainAfterTheyWereDropped) {
  PagedRows<float> rows(300);
  rows.reserve(2);
  std::ranges::fill(rows.row(1), 1.F);
  rows.reserve(1);
  EXPECT_THAT(rows.row(1), Each(1.F));
  rows.clear();
  rows.reserve(2);
  EXPECT_THAT(rows.row(1), Each(0.F));
}

TEST(PagedRows, MayHaveNoElements) {
  PagedRows<float> rows(0);
  rows.reserve(std::numeric_limits<std::size_t>::max());
  EXPECT_TRUE(rows.row(5).empty());
}

TEST(PagedRows, SayWhenMemoryEnds) {
  constexpr std::size_t more_than_there_is = std::size_t{1} << 52U;
  EXPECT_THROW(PagedRows<float>(more_than_there_is).reserve(1), std::bad_alloc);
}

}  // namespace
}  // namespace unlearn::detail
