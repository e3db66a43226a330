// SPDX-License-Identifier: Apache-2.0
#include "unlearn/cuda/gather.cuh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "on_device.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::Index;
using unlearn::InvalidArgument;
using unlearn::View;
using unlearn::testing::DeviceArray;

class GatherOnDevice : public unlearn::testing::OnDevice {};

TEST_F(GatherOnDevice, TakesRowsInAnyOrder) {
  for (const std::size_t columns : {1UL, 3UL, 4UL, 130UL}) {
    std::vector<std::int8_t> rows(5 * columns);
    std::iota(rows.begin(), rows.end(), std::int8_t{0});
    const std::vector<Index> indices{4, 0, 4, 2};
    DeviceArray<std::int8_t> from(rows);
    DeviceArray<Index> which(indices);
    DeviceArray<std::int8_t> to(4 * columns);

    gather_rows(device(), from.read<2>({5, columns}), which.read<1>({4}), to.view<2>({4, columns}));

    std::vector<std::int8_t> expected;
    for (const Index index : indices) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(index * columns);
      expected.insert(expected.end(), begin, begin + static_cast<std::ptrdiff_t>(columns));
    }
    EXPECT_EQ(to.numbers(), expected) << columns << " columns";
  }
}

TEST_F(GatherOnDevice, PutsRowsBackAndLeavesTheOthers) {
  DeviceArray<float> from(std::vector<float>{1, 2, 3, 4, 5, 6});
  DeviceArray<Index> which(std::vector<Index>{2, 0});
  DeviceArray<float> to(std::vector<float>(12, 9));
  scatter_rows(device(), from.read<2>({2, 3}), which.read<1>({2}), to.view<2>({4, 3}));
  EXPECT_THAT(to.numbers(), ElementsAre(4, 5, 6, 9, 9, 9, 1, 2, 3, 9, 9, 9));
}

TEST_F(GatherOnDevice, ChecksShapes) {
  DeviceArray<float> rows(12);
  DeviceArray<Index> which(2);
  EXPECT_THROW(
      gather_rows(device(), rows.read<2>({4, 3}), which.read<1>({2}), rows.view<2>({2, 2})),
      InvalidArgument);
  EXPECT_THROW(
      gather_rows(device(), rows.read<2>({4, 3}), which.read<1>({2}), rows.view<2>({3, 3})),
      InvalidArgument);
  EXPECT_THROW(
      scatter_rows(device(), rows.read<2>({3, 3}), which.read<1>({2}), rows.view<2>({4, 3})),
      InvalidArgument);
}

class ShuffleOnDevice : public unlearn::testing::OnDevice {};

TEST_F(ShuffleOnDevice, IsAPermutation) {
  for (const std::size_t count : {0UL, 1UL, 2UL, 3UL, 128UL, 1000UL, 65'537UL}) {
    DeviceArray<std::uint64_t> key(std::vector<std::uint64_t>{7});
    DeviceArray<Index> order(count);
    shuffle(device(), key.data(), order.view<1>({count}));
    std::vector<Index> sorted = order.numbers();
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(sorted[i], i) << "of " << count;
  }
}

TEST_F(ShuffleOnDevice, DependsOnTheKeyAloneAndDrawsTheNext) {
  DeviceArray<std::uint64_t> key(std::vector<std::uint64_t>{7});
  DeviceArray<std::uint64_t> same_key(std::vector<std::uint64_t>{7});
  DeviceArray<Index> order(50);
  shuffle(device(), key.data(), order.view<1>({50}));
  const std::vector<Index> first = order.numbers();
  shuffle(device(), key.data(), order.view<1>({50}));
  EXPECT_NE(order.numbers(), first);
  shuffle(device(), same_key.data(), order.view<1>({50}));
  EXPECT_EQ(order.numbers(), first);
}

TEST_F(ShuffleOnDevice, SendsEveryPlaceEverywhere) {
  // 24 orders of 4; each should come in about 1,000 of 24,000 draws. Seven standard deviations.
  DeviceArray<std::uint64_t> key(std::vector<std::uint64_t>{1});
  DeviceArray<Index> orders(4);
  std::vector<int> seen(256, 0);
  for (int draw = 0; draw < 24'000; ++draw) {
    shuffle(device(), key.data(), orders.view<1>({4}));
    const std::vector<Index> order = orders.numbers();
    ++seen[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]];
  }
  EXPECT_EQ(std::ranges::count_if(seen, [](int n) { return n > 0; }), 24);
  for (const int n : seen) {
    if (n > 0) {
      EXPECT_NEAR(n, 1000, 220);
    }
  }
}

TEST_F(ShuffleOnDevice, AllocatesNothing) {
  DeviceArray<std::uint64_t> key(std::vector<std::uint64_t>{7});
  DeviceArray<Index> order(128);
  shuffle(device(), key.data(), order.view<1>({128}));
  EXPECT_EQ(allocations_, 0U);
}

}  // namespace
