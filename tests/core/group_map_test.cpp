// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/group_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::message_of;

std::vector<Index> groups_of_rows(const GroupMap& map) {
  std::vector<Index> groups;
  for (std::size_t row = 0; row < map.rows(); ++row) groups.push_back(map.of(row));
  return groups;
}

TEST(GroupMap, SaysWhoSharesAndWithWhom) {
  const GroupMap map({2, 0, 2, 1, 0, 2}, 3);
  EXPECT_EQ(map.rows(), 6U);
  EXPECT_EQ(map.groups(), 3U);
  EXPECT_THAT(groups_of_rows(map), ElementsAre(2, 0, 2, 1, 0, 2));
  EXPECT_THAT(map.rows_of(0), ElementsAre(1, 4));
  EXPECT_THAT(map.rows_of(1), ElementsAre(3));
  EXPECT_THAT(map.rows_of(2), ElementsAre(0, 2, 5));
}

TEST(GroupMap, ListsTheRowsOfEachGroupInAscendingOrder) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SplitMix64 rng(seed);
    const std::size_t groups = 1 + uniform_below(5, rng);
    std::vector<Index> group_of_row;
    for (Index group = 0; group < groups; ++group) group_of_row.push_back(group);
    for (std::size_t more = uniform_below(20, rng); more > 0; --more) {
      group_of_row.push_back(static_cast<Index>(uniform_below(groups, rng)));
    }
    shuffle(std::span(group_of_row), rng);
    const GroupMap map(group_of_row, groups);
    EXPECT_EQ(groups_of_rows(map), group_of_row);
    for (Index group = 0; group < groups; ++group) {
      std::vector<Index> rows;
      for (Index row = 0; row < group_of_row.size(); ++row) {
        if (group_of_row[row] == group) rows.push_back(row);
      }
      EXPECT_THAT(map.rows_of(group), ElementsAreArray(rows));
    }
  }
}

TEST(GroupMap, CanLeaveEveryRowByItself) {
  const GroupMap map = GroupMap::per_row(3);
  EXPECT_EQ(map.groups(), 3U);
  EXPECT_THAT(groups_of_rows(map), ElementsAre(0, 1, 2));
  EXPECT_THAT(map.rows_of(2), ElementsAre(2));
}

TEST(GroupMap, CanBeOneForAll) {
  const GroupMap map = GroupMap::universal(3);
  EXPECT_EQ(map.groups(), 1U);
  EXPECT_THAT(map.rows_of(0), ElementsAre(0, 1, 2));
}

TEST(GroupMap, CanFollowLabels) {
  const std::vector<Index> labels{1, 0, 1};
  const GroupMap map = GroupMap::by_label(labels);
  EXPECT_EQ(map.groups(), 2U);
  EXPECT_THAT(map.rows_of(0), ElementsAre(1));
  EXPECT_THAT(map.rows_of(1), ElementsAre(0, 2));
}

TEST(GroupMap, OfNoRowsHasNoGroups) {
  for (const GroupMap& map : {GroupMap(), GroupMap({}, 0), GroupMap::per_row(0),
                              GroupMap::universal(0), GroupMap::by_label({})}) {
    EXPECT_EQ(map.rows(), 0U);
    EXPECT_EQ(map.groups(), 0U);
  }
}

TEST(GroupMap, RefusesAGroupThatIsOutOfRange) {
  EXPECT_EQ(message_of<InvalidArgument>([] { GroupMap({0, 1, 2}, 2); }),
            "group of a row: expected below 2, got 2");
  EXPECT_EQ(message_of<InvalidArgument>([] { GroupMap({0}, 0); }),
            "group of a row: expected below 0, got 0");
}

TEST(GroupMap, RefusesAGroupWithoutRows) {
  EXPECT_EQ(message_of<InvalidArgument>([] { GroupMap({0, 2, 0}, 3); }),
            "rows of group 1: expected at least 1, got 0");
  const std::vector<Index> gap{0, 2};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)GroupMap::by_label(gap); }),
            "rows of group 1: expected at least 1, got 0");
  EXPECT_EQ(message_of<InvalidArgument>([] { GroupMap({0}, 2); }),
            "rows of group 1: expected at least 1, got 0");
  EXPECT_EQ(message_of<InvalidArgument>([] { GroupMap({3, 1}, 4); }),
            "rows of group 0: expected at least 1, got 0");
  // Memory for all these groups would be 32 GiB.
  const std::vector<Index> no_label{0, 4'294'967'295};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)GroupMap::by_label(no_label); }),
            "rows of group 1: expected at least 1, got 0");
}

// Memory for all these rows would be 16 GiB, and their numbers would begin again at 0.
TEST(GroupMap, RefusesMoreRowsThanAnIndexCanNumber) {
  constexpr std::size_t too_many = std::size_t{1} << 32U;
  const std::string message =
      "rows of a group map: expected at most 2^32 - 1 = 4294967295 (split the data set), got "
      "4294967296";
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)GroupMap::per_row(too_many); }), message);
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)GroupMap::universal(too_many); }), message);
}

// States copy maps. A copy must not refer to the original.
TEST(GroupMap, IsAValue) {
  GroupMap map({0, 1, 0}, 2);
  const GroupMap copy = map;
  map = GroupMap::universal(1);
  EXPECT_THAT(copy.rows_of(0), ElementsAre(0, 2));
  EXPECT_THAT(groups_of_rows(copy), ElementsAre(0, 1, 0));
}

/// Three rows of two signals. A Scope requires no more.
struct ThreeRows {
  static std::size_t rows() { return 3; }
  static std::size_t signals() { return 2; }
  static Index signal_of(Index row) { return row == 1 ? 0 : 1; }
};

TEST(Scope, IsANoiseForEachSignalAndATriggerForEachRowUnlessToldOtherwise) {
  ThreeRows pairs;
  const Scope scope = Scope::of(pairs);
  EXPECT_THAT(groups_of_rows(scope.noise), ElementsAre(1, 0, 1));
  EXPECT_EQ(scope.noise.groups(), 2U);
  EXPECT_THAT(groups_of_rows(scope.triggers), ElementsAre(0, 1, 2));
}

TEST(Scope, RefusesASourceThatNamesASignalItDoesNotHaveOrHasOneThatNoRowNames) {
  struct OneSignal : ThreeRows {
    static std::size_t signals() { return 1; }
  } too_few;
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)Scope::of(too_few); }),
            "group of a row: expected below 1, got 1");
  struct Endless : ThreeRows {
    static std::size_t rows() { return std::size_t{1} << 32U; }
  } endless;
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)Scope::of(endless); }),
              ::testing::StartsWith("rows of the pair source: expected at most 2^32 - 1"));
  struct EndlessSignals : ThreeRows {
    static std::size_t signals() { return std::size_t{1} << 32U; }
  } endless_signals;
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)Scope::of(endless_signals); }),
              ::testing::StartsWith("signals of the pair source: expected at most 2^32 - 1"));
  struct ThreeSignals : ThreeRows {
    static std::size_t signals() { return 3; }
  } too_many;
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)Scope::of(too_many); }),
            "rows of group 2: expected at least 1, got 0");
}

}  // namespace
}  // namespace unlearn
