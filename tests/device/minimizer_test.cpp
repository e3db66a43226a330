// SPDX-License-Identifier: Apache-2.0
// A run whose signals and noise lie on the device comes to the host's bytes.
#include "unlearn/mem/multi_step_minimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "device/towers_on_device.hpp"
#include "mem/example_run.hpp"
#include "mem/sharing.hpp"
#include "mem/two_tower.hpp"
#include "on_device.hpp"
#include "temporary_directory.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/device/device_noise_store.hpp"
#include "unlearn/device/device_pair_source.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace {

using unlearn::checkpoint_to;
using unlearn::DeviceNoiseStore;
using unlearn::DevicePairSource;
using unlearn::Flow;
using unlearn::HostBackedNoiseStore;
using unlearn::Index;
using unlearn::MappedNoiseStore;
using unlearn::MemoryNoiseStore;
using unlearn::PairSource;
using unlearn::RoundEnd;
using unlearn::RunState;
using unlearn::StopReason;
using unlearn::testing::AtSafePoints;
using unlearn::testing::BothSamples;
using unlearn::testing::RunRng;
using unlearn::testing::scope_of;
using unlearn::testing::Sharing;
using unlearn::testing::small_mem;
using unlearn::testing::TemporaryDirectory;
using unlearn::testing::text_of;
using unlearn::testing::TowersOnDevice;
using unlearn::testing::two_words;
using unlearn::testing::TwoTowerPairs;
using unlearn::testing::TwoTowers;

enum class Place { resident, streamed };

constexpr std::size_t all_of_it = 1U << 20U;
constexpr std::size_t nothing = 0;

std::size_t room(Place place) { return place == Place::resident ? all_of_it : nothing; }

template <class Sample>
class MinimizerOnDevice : public unlearn::testing::OnDevice {
 protected:
  using Pairs = TwoTowerPairs<Sample>;
  using HostNoise = MemoryNoiseStore<unlearn::noise_of_t<Pairs>>;
  using HostState = RunState<HostNoise>;

  static std::string on_the_host(Sharing sharing) {
    HostState state = unlearn::fresh_state(pairs_, two_words, scope_of(pairs_, sharing));
    TwoTowers towers(pairs_.elements());
    RunRng rng(11);
    (void)small_mem().minimize(towers, pairs_, state, rng);
    return text_of(state, rng, towers);
  }

  /// A state like `fresh`, with its noise on the device.
  template <class Store>
  auto moved(HostState fresh, Store& host, Place place) {
    using Noise = DeviceNoiseStore<decltype(device()), Store>;
    return RunState<Noise>{.noise = Noise(device(), host, room(place)),
                           .triggers = std::move(fresh.triggers),
                           .scope = std::move(fresh.scope)};
  }

  /// What a state is on the host.
  template <class State>
  static std::string on_host(const State& state, const RunRng& rng, const auto& model) {
    HostNoise noise(state.noise.groups(), state.noise.elements());
    for (Index group = 0; group < state.noise.groups(); ++group) {
      std::vector<typename HostNoise::value_type> row(state.noise.elements());
      const std::span<const Index> one(&group, 1);
      const unlearn::View<typename HostNoise::value_type, 2> view(row, {1, row.size()});
      state.noise.host().load(one, view);
      noise.store(one, view);
    }
    return text_of(HostState{.noise = std::move(noise),
                             .triggers = state.triggers,
                             .scope = state.scope,
                             .progress = state.progress},
                   rng, model);
  }

  static inline Pairs pairs_{unlearn::testing::three_captions<Pairs>};
};
TYPED_TEST_SUITE(MinimizerOnDevice, BothSamples);

TYPED_TEST(MinimizerOnDevice, ComesToTheHostsBytes) {
  for (const Sharing sharing : {Sharing::per_signal, Sharing::per_class, Sharing::universal}) {
    const std::string expected = this->on_the_host(sharing);
    for (const Place place : {Place::resident, Place::streamed}) {
      auto fresh = unlearn::fresh_state(this->pairs_, two_words, scope_of(this->pairs_, sharing));
      auto host = fresh.noise;
      auto state = this->moved(std::move(fresh), host, place);
      DevicePairSource pairs(this->device(), this->pairs_, room(place));
      EXPECT_EQ(pairs.resident(), place == Place::resident);
      EXPECT_EQ(state.noise.resident(), place == Place::resident);
      TowersOnDevice model(this->device(), TwoTowers(pairs.elements()));
      RunRng rng(11);

      const auto result = small_mem().minimize(this->device(), model, pairs, state, rng);

      EXPECT_EQ(result.stop, StopReason::round_limit);
      EXPECT_EQ(this->on_host(state, rng, model), expected)
          << "sharing " << static_cast<int>(sharing) << ", place " << static_cast<int>(place);
      EXPECT_EQ(state.noise.dirty_bytes(), 0U);
    }
  }
}

TYPED_TEST(MinimizerOnDevice, GoesOnFromACheckpointToTheSameBytes) {
  const std::string expected = this->on_the_host(Sharing::per_signal);
  for (const Place place : {Place::resident, Place::streamed}) {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/noise.npy";
    const auto lap = [&](int points) {
      using Store = MappedNoiseStore<unlearn::noise_of_t<TwoTowerPairs<TypeParam>>>;
      auto fresh = unlearn::fresh_state(this->pairs_, two_words);
      auto host = std::filesystem::exists(file)
                      ? Store::open(file)
                      : Store::create(file, fresh.noise.groups(), fresh.noise.elements());
      auto state = this->moved(std::move(fresh), host, place);
      DevicePairSource pairs(this->device(), this->pairs_, room(place));
      TowersOnDevice model(this->device(), TwoTowers(pairs.elements()));
      RunRng rng(11);
      auto checkpoint =
          checkpoint_to(directory.path() + "/run", {.every = std::chrono::seconds(0)});
      checkpoint.restore(state, rng, model);
      auto stopper =
          AtSafePoints{[&](const auto&) { return --points == 0 ? Flow::stop : Flow::proceed; }};
      const auto result =
          small_mem().minimize(this->device(), model, pairs, state, rng, checkpoint, stopper);
      return std::pair(result.stop, this->on_host(state, rng, model));
    };
    int laps = 1;
    auto [stop, end] = lap(4);
    for (; stop == StopReason::stopped_by_observer; ++laps) std::tie(stop, end) = lap(4);
    EXPECT_GT(laps, 4);
    EXPECT_EQ(stop, StopReason::round_limit);
    EXPECT_EQ(end, expected) << "place " << static_cast<int>(place);
  }
}

TYPED_TEST(MinimizerOnDevice, AllocatesNothingOnceARoundIsOver) {
  for (const Sharing sharing : {Sharing::per_signal, Sharing::per_class}) {
    for (const Place place : {Place::resident, Place::streamed}) {
      auto fresh = unlearn::fresh_state(this->pairs_, two_words, scope_of(this->pairs_, sharing));
      auto host = fresh.noise;
      auto state = this->moved(std::move(fresh), host, place);
      DevicePairSource pairs(this->device(), this->pairs_, room(place));
      TowersOnDevice model(this->device(), TwoTowers(pairs.elements()));
      RunRng rng(11);
      std::vector<std::size_t> after_round;
      const auto count = [&](const RoundEnd&) { after_round.push_back(this->allocations_); };
      (void)small_mem().minimize(this->device(), model, pairs, state, rng, count);
      ASSERT_EQ(after_round.size(), 3U);
      EXPECT_GT(after_round[0], 0U);
      EXPECT_EQ(after_round[2], after_round[0]);
    }
  }
}

}  // namespace
