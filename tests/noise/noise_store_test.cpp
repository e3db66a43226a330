// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/noise_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::message_of;

/// A minimal NoiseStore.
struct MinimalStore {
  using value_type = float;
  std::size_t groups() const { return 1; }
  std::size_t elements() const { return 1; }
  void load(std::span<const Index>, View<float, 2>) const {}
  void store(std::span<const Index>, View<const float, 2>) {}
};
static_assert(NoiseStore<MinimalStore>);
static_assert(!JournaledNoiseStore<MinimalStore>);

struct OfDoubles : MinimalStore {
  using value_type = double;
  void load(std::span<const Index>, View<double, 2>) const {}
  void store(std::span<const Index>, View<const double, 2>) {}
};
static_assert(!NoiseStore<OfDoubles>);

struct LoadIsNotConst : MinimalStore {
  void load(std::span<const Index>, View<float, 2>) {}
};
static_assert(!NoiseStore<LoadIsNotConst>);

struct WithoutStore {
  using value_type = float;
  std::size_t groups() const { return 1; }
  std::size_t elements() const { return 1; }
  void load(std::span<const Index>, View<float, 2>) const {}
};
static_assert(!NoiseStore<WithoutStore>);

/// A minimal JournaledNoiseStore.
struct MinimalJournaled : MinimalStore {
  void hold() {}
  std::size_t pending_bytes() const { return 0; }
  std::uint64_t write_journal(const std::string&) const { return 0; }
  std::uint64_t read_journal(const std::string&) { return 0; }
  void discard_pending() {}
  void flush() {}
};
static_assert(JournaledNoiseStore<MinimalJournaled>);

struct WithoutDiscard : MinimalJournaled {
  void discard_pending() = delete;
};
static_assert(!JournaledNoiseStore<WithoutDiscard>);

/// A minimal HostBackedNoiseStore.
struct MinimalOnDevice : MinimalStore {
  MinimalStore& host() { return home_; }
  const MinimalStore& host() const { return home_; }
  void write_back() {}
  std::size_t dirty_bytes() const { return 0; }
  void reload() {}

 private:
  MinimalStore home_;
};
static_assert(HostBackedNoiseStore<MinimalOnDevice>);
static_assert(!HostBackedNoiseStore<MinimalStore> && !HostBackedNoiseStore<MinimalJournaled>);

struct WithoutReload : MinimalOnDevice {
  void reload() = delete;
};
static_assert(!HostBackedNoiseStore<WithoutReload>);

struct WithAHomeOfOtherNumbers : MinimalOnDevice {
  MemoryNoiseStore<std::int8_t>& host();
  const MemoryNoiseStore<std::int8_t>& host() const;
};
static_assert(!HostBackedNoiseStore<WithAHomeOfOtherNumbers>);

struct WithAHomeByValue : MinimalOnDevice {
  MinimalStore host() const;
};
static_assert(!HostBackedNoiseStore<WithAHomeByValue>);

/// One test body for every store: four groups of three elements, all zero at first.
template <class Store>
class NoiseStores : public ::testing::Test {
 protected:
  using N = typename Store::value_type;

  Store make() {
    if constexpr (JournaledNoiseStore<Store>) {
      return Store::create(directory_ / "noise.npy", 4, 3);
    } else {
      return Store(4, 3);
    }
  }

  static std::vector<N> load(const Store& store, const std::vector<Index>& groups) {
    std::vector<N> rows(groups.size() * 3);
    store.load(groups, View<N, 2>(rows, {groups.size(), 3}));
    return rows;
  }

  static void store(Store& store, const std::vector<Index>& groups, const std::vector<N>& rows) {
    store.store(groups, View<const N, 2>(rows, {groups.size(), 3}));
  }

  testing::TemporaryDirectory directory_;
};

using Stores = ::testing::Types<MemoryNoiseStore<std::int8_t>, MemoryNoiseStore<float>,
                                MappedNoiseStore<std::int8_t>, MappedNoiseStore<float>>;
TYPED_TEST_SUITE(NoiseStores, Stores);

TYPED_TEST(NoiseStores, AreZeroAtFirst) {
  const auto noise = this->make();
  EXPECT_EQ(noise.groups(), 4U);
  EXPECT_EQ(noise.elements(), 3U);
  EXPECT_THAT(this->load(noise, {0, 1, 2, 3}), Each(0));
}

TYPED_TEST(NoiseStores, LoadWhatWasStored) {
  auto noise = this->make();
  this->store(noise, {2, 0}, {1, 2, 3, 4, 5, -128});
  EXPECT_THAT(this->load(noise, {0, 1, 2, 2}), ElementsAre(4, 5, -128, 0, 0, 0, 1, 2, 3, 1, 2, 3));
  this->store(noise, {2, 3}, {7, 7, 7, 8, 8, 8});
  EXPECT_THAT(this->load(noise, {3, 2, 0}), ElementsAre(8, 8, 8, 7, 7, 7, 4, 5, -128));
}

TYPED_TEST(NoiseStores, KeepTheLaterRowOfAGroupThatIsNamedTwice) {
  auto noise = this->make();
  this->store(noise, {1, 1}, {1, 1, 1, 2, 2, 2});
  EXPECT_THAT(this->load(noise, {1}), ElementsAre(2, 2, 2));
}

TYPED_TEST(NoiseStores, LoadAndStoreNothing) {
  auto noise = this->make();
  this->store(noise, {}, {});
  EXPECT_TRUE(this->load(noise, {}).empty());
}

TYPED_TEST(NoiseStores, RefuseWhatDoesNotFitAndChangeNothing) {
  auto noise = this->make();
  std::vector<typename TestFixture::N> rows(8, 1);
  const std::array<Index, 2> fitting{0, 1};
  const std::array<Index, 2> outside{0, 4};
  const auto refusal = [&](std::span<const Index> groups, std::size_t count, std::size_t width) {
    const View<typename TestFixture::N, 2> view(rows.data(), {count, width});
    std::string loading =
        message_of<InvalidArgument>([&] { std::as_const(noise).load(groups, view); });
    EXPECT_EQ(message_of<InvalidArgument>([&] { noise.store(groups, view); }), loading);
    return loading;
  };
  EXPECT_EQ(refusal(outside, 2, 3), "noise group: expected less than 4, got 4");
  EXPECT_EQ(refusal(fitting, 2, 4), "elements of a noise: expected 3, got 4");
  EXPECT_EQ(refusal(fitting, 1, 3), "rows of noise: expected 2, got 1");
  EXPECT_THAT(this->load(noise, {0, 1, 2, 3}), Each(0));
}

TEST(MemoryNoiseStore, ShowsAllNoises) {
  MemoryNoiseStore noise(2, 2);
  static_assert(std::is_same_v<decltype(noise), MemoryNoiseStore<std::int8_t>>);
  const std::array<Index, 1> group{1};
  const std::array<std::int8_t, 2> row{-8, 8};
  noise.store(group, View<const std::int8_t, 2>(row, {1, 2}));
  EXPECT_EQ(noise.view().extents(), (std::array<std::size_t, 2>{2, 2}));
  EXPECT_THAT(noise.view().flat(), ElementsAre(0, 0, -8, 8));
}

TEST(MemoryNoiseStore, RefusesAProductThatOverflows) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(MemoryNoiseStore(most / 2, 4), InvalidArgument);
  EXPECT_THROW(MemoryNoiseStore(std::size_t{1} << 32U, std::size_t{1} << 32U), InvalidArgument);
  constexpr std::size_t numbered = std::numeric_limits<Index>::max();
  EXPECT_EQ(MemoryNoiseStore(numbered, 0).groups(), numbered);
  EXPECT_THROW(MemoryNoiseStore(numbered + 1, 0), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
