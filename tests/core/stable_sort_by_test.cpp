// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/stable_sort_by.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

namespace unlearn::detail {
namespace {

TEST(SortStably, KeepsEqualsInTheirOrder) {
  std::vector<std::string> words{"bb", "a", "cc", "c", "aaa", "b", "aa"};
  stable_sort_by(std::span(words), &std::string::size);
  EXPECT_THAT(words, ::testing::ElementsAre("a", "c", "b", "bb", "cc", "aa", "aaa"));
}

TEST(SortStably, SortsAPartAndNothing) {
  std::vector<int> numbers{3, 2, 1, 0};
  const auto self = [](int number) { return number; };
  stable_sort_by(std::span(numbers).subspan(1, 2), self);
  EXPECT_THAT(numbers, ::testing::ElementsAre(3, 1, 2, 0));
  stable_sort_by(std::span<int>(), self);
}

}  // namespace
}  // namespace unlearn::detail
