// SPDX-License-Identifier: Apache-2.0
#include "unlearn/device/device_pair_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "mem/two_tower.hpp"
#include "on_device.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"

namespace {

using unlearn::DevicePairSource;
using unlearn::Index;
using unlearn::InvalidArgument;
using unlearn::PairSource;
using unlearn::View;
using unlearn::testing::DeviceArray;

/// Five signals of six numbers; counts how often it is read, and fails when it is told to.
struct Source : unlearn::testing::TwoTowerPairs<std::uint8_t> {
  Source() : TwoTowerPairs({.signals = 5, .captions = 2, .elements = 6}) {}
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    if (fails) throw std::runtime_error("cannot be read");
    ++reads;
    TwoTowerPairs::load_signals(indices, out);
  }
  mutable std::size_t reads = 0;
  bool fails = false;
};

/// All on the device, or brought batch by batch.
class PairsOnDevice : public unlearn::testing::OnDevice, public testing::WithParamInterface<bool> {
 protected:
  auto pairs() { return DevicePairSource(device(), source_, GetParam() ? 30 : 29); }

  template <class Pairs>
  static std::vector<std::uint8_t> loaded(Pairs& pairs, const std::vector<Index>& signals) {
    DeviceArray<std::uint8_t> out(6 * signals.size());
    pairs.load_signals(signals, out.view<2>({signals.size(), 6}));
    return out.numbers();
  }

  [[nodiscard]] std::vector<std::uint8_t> expected(const std::vector<Index>& signals) const {
    std::vector<std::uint8_t> numbers;
    for (const Index s : signals) {
      const auto signal = source_.signal(s);
      numbers.insert(numbers.end(), signal.begin(), signal.end());
    }
    return numbers;
  }

  Source source_;
};
INSTANTIATE_TEST_SUITE_P(Places, PairsOnDevice, testing::Bool(),
                         [](const auto& place) { return place.param ? "Resident" : "Streamed"; });

TEST_P(PairsOnDevice, AreTheSourcesPairs) {
  auto pairs = this->pairs();
  static_assert(PairSource<decltype(pairs)>);
  EXPECT_EQ(pairs.resident(), GetParam());
  EXPECT_EQ(pairs.rows(), 10U);
  EXPECT_EQ(pairs.signals(), 5U);
  EXPECT_EQ(pairs.elements(), 6U);
  EXPECT_EQ(pairs.signal_of(7), 2U);
  EXPECT_EQ(pairs.caption(7).data(), source_.caption(7).data());
  EXPECT_EQ(loaded(pairs, {3, 0, 3}), expected({3, 0, 3}));
  EXPECT_EQ(loaded(pairs, {}), expected({}));
}

TEST_P(PairsOnDevice, ReadTheSourceOnceForEachBatchAtMost) {
  auto pairs = this->pairs();
  const std::size_t at_first = source_.reads;
  EXPECT_EQ(loaded(pairs, {1, 2}), expected({1, 2}));
  pairs.prefetch(std::vector<Index>{4, 0});
  EXPECT_EQ(loaded(pairs, {4, 0}), expected({4, 0}));
  EXPECT_EQ(source_.reads, at_first + (GetParam() ? 0U : 2U));
}

TEST_P(PairsOnDevice, PrefetchChangesNoAnswer) {
  auto pairs = this->pairs();
  pairs.prefetch(std::vector<Index>{1, 2});
  EXPECT_EQ(loaded(pairs, {2, 1}), expected({2, 1})) << "another batch than was announced";
  pairs.prefetch(std::vector<Index>{0, 1});
  pairs.prefetch(std::vector<Index>{3, 4});
  EXPECT_EQ(loaded(pairs, {0, 1}), expected({0, 1}));
  EXPECT_EQ(loaded(pairs, {3, 4}), expected({3, 4}));
}

TEST_P(PairsOnDevice, RefuseSignalsAndShapesThatAreNotTheirOwn) {
  auto pairs = this->pairs();
  DeviceArray<std::uint8_t> out(12);
  const std::vector<Index> too_high{5};
  const std::vector<Index> one{0};
  EXPECT_THROW(pairs.load_signals(too_high, out.view<2>({1, 6})), InvalidArgument);
  EXPECT_THROW(pairs.load_signals(one, out.view<2>({2, 6})), InvalidArgument);
  EXPECT_THROW(pairs.load_signals(one, out.view<2>({1, 12})), InvalidArgument);
}

TEST_P(PairsOnDevice, LoadAfterASourceThatFailed) {
  auto pairs = this->pairs();
  source_.fails = true;
  if (pairs.resident()) {
    EXPECT_EQ(loaded(pairs, {1}), expected({1})) << "nothing is read any more";
    return;
  }
  EXPECT_THROW(pairs.prefetch(std::vector<Index>{1}), std::runtime_error);
  EXPECT_THROW((void)loaded(pairs, {1}), std::runtime_error);
  source_.fails = false;
  EXPECT_EQ(loaded(pairs, {1}), expected({1}));
}

}  // namespace
