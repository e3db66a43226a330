// SPDX-License-Identifier: Apache-2.0
#include "unlearn/device/device_noise_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "on_device.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/noise/memory_noise_store.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::DeviceNoiseStore;
using unlearn::HostBackedNoiseStore;
using unlearn::Index;
using unlearn::InvalidArgument;
using unlearn::MemoryNoiseStore;
using unlearn::View;
using unlearn::testing::DeviceArray;

using Numbers = std::vector<std::int8_t>;

/// Three noises of four numbers, all on the device or brought batch by batch.
class NoiseOnDevice : public unlearn::testing::OnDevice, public testing::WithParamInterface<bool> {
 protected:
  template <class Store>
  auto over(Store& host) {
    return DeviceNoiseStore(device(), host, GetParam() ? 12 : 11);
  }
  auto noise() { return over(host_); }

  template <class Noise>
  Numbers loaded(const Noise& noise, const std::vector<Index>& groups) {
    DeviceArray<std::int8_t> out(4 * groups.size());
    noise.load(groups, out.view<2>({groups.size(), 4}));
    return out.numbers();
  }

  template <class Noise>
  void store(Noise& noise, const std::vector<Index>& groups, const Numbers& numbers) {
    DeviceArray<std::int8_t> rows(numbers);
    noise.store(groups, rows.read<2>({groups.size(), 4}));
    // The array ends here, and what is enqueued may still read it.
    device().wait();
  }

  template <class Noise>
  static Numbers on_host(const Noise& noise, const std::vector<Index>& groups) {
    Numbers out(4 * groups.size());
    noise.host().load(groups, View<std::int8_t, 2>(out, {groups.size(), 4}));
    return out;
  }

  MemoryNoiseStore<> host_{3, 4};
};
INSTANTIATE_TEST_SUITE_P(Places, NoiseOnDevice, testing::Bool(),
                         [](const auto& place) { return place.param ? "Resident" : "Streamed"; });

TEST_P(NoiseOnDevice, IsADeviceNoiseStore) {
  auto noise = this->noise();
  static_assert(HostBackedNoiseStore<decltype(noise)>);
  static_assert(!HostBackedNoiseStore<MemoryNoiseStore<>>);
  EXPECT_EQ(noise.resident(), GetParam());
  EXPECT_EQ(noise.groups(), 3U);
  EXPECT_EQ(noise.elements(), 4U);
}

TEST_P(NoiseOnDevice, BeginsWithTheHostsNoise) {
  const Numbers numbers{1, 2, 3, 4};
  host_.store(std::vector<Index>{1}, View<const std::int8_t, 2>(numbers, {1, 4}));
  auto noise = this->noise();
  EXPECT_THAT(loaded(noise, {1, 0}), ElementsAre(1, 2, 3, 4, 0, 0, 0, 0));
}

TEST_P(NoiseOnDevice, LoadsWhatWasStored) {
  auto noise = this->noise();
  store(noise, {2, 0}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(loaded(noise, {0, 1, 2}), ElementsAre(5, 6, 7, 8, 0, 0, 0, 0, 1, 2, 3, 4));
  store(noise, {2}, {9, 9, 9, 9});
  EXPECT_THAT(loaded(noise, {2, 0}), ElementsAre(9, 9, 9, 9, 5, 6, 7, 8));
}

TEST_P(NoiseOnDevice, KeepsTheLaterOfTwoRowsForOneGroup) {
  auto noise = this->noise();
  store(noise, {1, 2, 1}, {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3});
  EXPECT_THAT(loaded(noise, {1, 2}), ElementsAre(3, 3, 3, 3, 2, 2, 2, 2));
}

TEST_P(NoiseOnDevice, PrefetchesWhatItThenLoads) {
  auto noise = this->noise();
  store(noise, {1}, {1, 2, 3, 4});
  noise.prefetch(std::vector<Index>{1, 2});
  EXPECT_THAT(loaded(noise, {1, 2}), ElementsAre(1, 2, 3, 4, 0, 0, 0, 0));
}

TEST_P(NoiseOnDevice, PrefetchChangesNoAnswer) {
  auto noise = this->noise();
  noise.prefetch(std::vector<Index>{1, 2});
  EXPECT_EQ(loaded(noise, {0}), Numbers(4, 0)) << "another batch than was announced";
  noise.prefetch(std::vector<Index>{1, 2});
  store(noise, {2}, {5, 6, 7, 8});
  EXPECT_THAT(loaded(noise, {1, 2}), ElementsAre(0, 0, 0, 0, 5, 6, 7, 8)) << "stored meanwhile";
}

TEST_P(NoiseOnDevice, WritesBackWhatIsDirty) {
  auto noise = this->noise();
  EXPECT_EQ(noise.dirty_bytes(), 0U);
  store(noise, {2, 0}, {1, 2, 3, 4, 5, 6, 7, 8});
  store(noise, {2}, {9, 9, 9, 9});
  EXPECT_GT(noise.dirty_bytes(), 0U);
  noise.write_back();
  EXPECT_EQ(noise.dirty_bytes(), 0U);
  EXPECT_THAT(on_host(noise, {0, 1, 2}), ElementsAre(5, 6, 7, 8, 0, 0, 0, 0, 9, 9, 9, 9));
  EXPECT_THAT(loaded(noise, {2}), ElementsAre(9, 9, 9, 9));
}

TEST_P(NoiseOnDevice, ReloadsTheHostsNoise) {
  auto noise = this->noise();
  store(noise, {1}, {1, 2, 3, 4});
  const Numbers numbers{7, 7, 7, 7};
  noise.host().store(std::vector<Index>{0}, View<const std::int8_t, 2>(numbers, {1, 4}));
  noise.prefetch(std::vector<Index>{0});
  noise.host().store(std::vector<Index>{0}, View<const std::int8_t, 2>(numbers, {1, 4}));
  store(noise, {2}, {5, 5, 5, 5});
  noise.reload();
  EXPECT_EQ(noise.dirty_bytes(), 0U);
  EXPECT_EQ(loaded(noise, {0}), numbers);
  EXPECT_EQ(loaded(noise, {2}), Numbers(4, 0)) << "was not written back";
}

TEST_P(NoiseOnDevice, RefusesGroupsAndShapesThatAreNotItsOwn) {
  auto noise = this->noise();
  DeviceArray<std::int8_t> rows(Numbers(8, 1));
  const std::vector<Index> too_high{3};
  const std::vector<Index> one{0};
  EXPECT_THROW(noise.load(too_high, rows.view<2>({1, 4})), InvalidArgument);
  EXPECT_THROW(noise.load(one, rows.view<2>({2, 4})), InvalidArgument);
  EXPECT_THROW(noise.store(too_high, rows.read<2>({1, 4})), InvalidArgument);
  EXPECT_THROW(noise.store(one, rows.read<2>({1, 8})), InvalidArgument);
  EXPECT_EQ(loaded(noise, {0, 1, 2}), Numbers(12, 0));
}

/// A store whose `store` fails as often as it is told to.
class Unlucky : public MemoryNoiseStore<> {
 public:
  using MemoryNoiseStore<>::MemoryNoiseStore;
  void store(std::span<const Index> groups, View<const std::int8_t, 2> noise) {
    if (failures > 0) {
      --failures;
      throw std::runtime_error("no space left");
    }
    MemoryNoiseStore<>::store(groups, noise);
  }
  int failures = 0;
};

TEST_P(NoiseOnDevice, LosesNothingWhenTheHostsStoreFails) {
  Unlucky host(3, 4);
  auto noise = over(host);
  store(noise, {1}, {1, 2, 3, 4});
  host.failures = 1;
  EXPECT_THROW(noise.write_back(), std::runtime_error);
  EXPECT_GT(noise.dirty_bytes(), 0U);
  noise.write_back();
  EXPECT_THAT(on_host(noise, {1}), ElementsAre(1, 2, 3, 4));
}

}  // namespace
