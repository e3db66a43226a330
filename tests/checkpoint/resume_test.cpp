// SPDX-License-Identifier: Apache-2.0
// A run that was interrupted and resumed gives the same bytes as one without interruption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mem/example_run.hpp"
#include "mem/sharing.hpp"
#include "mem/two_tower.hpp"
#include "temporary_directory.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"

namespace unlearn {
namespace {

using testing::AtSafePoints;
using testing::BothSamples;
using testing::RunRng;
using testing::scope_of;
using testing::Sharing;
using testing::small_mem;
using testing::text_of;
using testing::two_words;
using testing::TwoTowerPairs;
using testing::TwoTowers;

/// Three captions per signal, epochs that end in the middle of a round, stages of several batches.
template <class Sample>
struct ThreeCaptions {
  using Pairs = TwoTowerPairs<Sample>;

  explicit ThreeCaptions(Sharing sharing)
      : state(fresh_state(pairs, two_words, scope_of(pairs, sharing))) {}

  template <class... Observers>
  RunResult go(Observers&&... observers) {
    return small_mem().minimize(model, pairs, state, rng, observers...);
  }
  [[nodiscard]] std::string everything() const { return text_of(state, rng, model); }

  Pairs pairs{testing::three_captions<Pairs>};
  TwoTowers model{pairs.elements()};
  RunState<MemoryNoiseStore<noise_of_t<Pairs>>> state;
  RunRng rng{11};
};

template <class Sample>
class Resume : public ::testing::Test {
 protected:
  /// The number of safe points of a run without interruption; `end` receives its result.
  static int straight(Sharing sharing, std::string& end) {
    ThreeCaptions<Sample> run(sharing);
    int points = 0;
    (void)run.go(AtSafePoints{[&](const auto&) { ++points; }});
    end = run.everything();
    return points;
  }
};
TYPED_TEST_SUITE(Resume, BothSamples);

TYPED_TEST(Resume, GoesOnToTheSameBytesFromACopyTakenAtAnySafePoint) {
  for (const Sharing sharing : {Sharing::per_signal, Sharing::per_class, Sharing::universal}) {
    std::string end;
    const int points = this->straight(sharing, end);
    ASSERT_GT(points, 20);
    for (int k = 1; k <= points; ++k) {
      ThreeCaptions<TypeParam> run(sharing);
      std::unique_ptr<ThreeCaptions<TypeParam>> copy;
      int seen = 0;
      (void)run.go(AtSafePoints{[&](const auto&) {
        if (++seen == k) copy = std::make_unique<ThreeCaptions<TypeParam>>(run);
      }});
      ASSERT_EQ(run.everything(), end) << "a look at a run does not change it";
      const RunResult result = copy->go();
      ASSERT_EQ(copy->everything(), end) << k;
      ASSERT_EQ(result.rounds, 3U);
    }
  }
}

TYPED_TEST(Resume, GoesOnToTheSameBytesAfterAStopAtAnySafePoint) {
  for (const Sharing sharing : {Sharing::per_signal, Sharing::universal}) {
    std::string end;
    const int points = this->straight(sharing, end);
    for (int k = 1; k < points; ++k) {
      ThreeCaptions<TypeParam> run(sharing);
      int seen = 0;
      const RunResult stopped = run.go(
          AtSafePoints{[&](const auto&) { return ++seen == k ? Flow::stop : Flow::proceed; }});
      ASSERT_EQ(stopped.stop, StopReason::stopped_by_observer);
      ASSERT_NE(run.everything(), end);
      (void)run.go();
      ASSERT_EQ(run.everything(), end) << k;
    }
  }
}

TYPED_TEST(Resume, GoesOnToTheSameBytesWhenItIsStoppedAfterEveryBatch) {
  std::string end;
  (void)this->straight(Sharing::per_class, end);
  ThreeCaptions<TypeParam> run(Sharing::per_class);
  int calls = 0;
  StopReason stop = StopReason::running;
  for (; stop != StopReason::round_limit && calls < 1000; ++calls) {
    stop = run.go([](const BatchEnd&) { return Flow::stop; }).stop;
  }
  EXPECT_GT(calls, 20);
  EXPECT_EQ(run.everything(), end);
}

TYPED_TEST(Resume, GoesOnFromACompleteRunWhenThereAreMoreRounds) {
  const auto everything = [](const std::vector<std::uint32_t>& limits) {
    ThreeCaptions<TypeParam> run(Sharing::per_signal);
    for (const std::uint32_t rounds : limits) {
      auto mem = small_mem();
      mem.rounds = rounds;
      (void)mem.minimize(run.model, run.pairs, run.state, run.rng);
    }
    return run.everything();
  };
  EXPECT_EQ(everything({1, 3, 3, 4}), everything({4}));
}

TYPED_TEST(Resume, BeginsWithTheLossesOfTheCompleteRounds) {
  ThreeCaptions<TypeParam> run(Sharing::per_signal);
  auto mem = small_mem();
  std::vector<double> told;
  const auto observer = [&](const RunBegin& event) {
    told.clear();
    for (const RoundLosses& losses : event.complete) told.push_back(losses.of(noise_stage).value());
  };
  mem.rounds = 2;
  const RunResult first = mem.minimize(run.model, run.pairs, run.state, run.rng, observer);
  EXPECT_TRUE(told.empty());
  mem.rounds = 3;
  (void)mem.minimize(run.model, run.pairs, run.state, run.rng, observer);
  EXPECT_EQ(told,
            (std::vector{*first.trace.at(0).of(noise_stage), *first.trace.at(1).of(noise_stage)}));
}

// --- From a checkpoint ---------------------------------------------------------------------------

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

/// One process of a run: what it has in memory; the files of all processes are in one directory.
template <class Store>
struct Process {
  using Pairs = TwoTowerPairs<
      std::conditional_t<std::is_integral_v<typename Store::value_type>, std::uint8_t, float>>;

  explicit Process(const std::string& directory)
      : checkpoint(checkpoint_to(directory + "/run", {.every = std::chrono::seconds(0)})),
        state{.noise = noise_in(directory),
              .triggers = TriggerTable(10, two_words),
              .scope = Scope::of(pairs)} {}

  static Store noise_in(const std::string& directory) {
    if constexpr (JournaledNoiseStore<Store>) {
      const std::string path = directory + "/noise.npy";
      return std::filesystem::exists(path) ? Store::open(path) : Store::create(path, 5, 4);
    } else {
      return Store(5, 4);
    }
  }

  template <class... Observers>
  RunResult go(Observers&&... observers) {
    (void)checkpoint.restore(state, rng, model);
    return small_mem().minimize(model, pairs, state, rng, observers..., checkpoint);
  }
  [[nodiscard]] std::string everything() const { return text_of(state, rng, model); }

  Pairs pairs{{.signals = 5, .captions = 2, .elements = 4}};
  TwoTowers model{pairs.elements()};
  RunRng rng{11};
  Checkpoint<> checkpoint;
  RunState<Store> state;
};

/// Kills the run at its `at`-th safe point, before the checkpoint is written.
auto kill_at(int at) {
  return AtSafePoints{[at, seen = 0](const auto&) mutable {
    if (++seen == at) throw Killed();
  }};
}

template <class Store>
class ResumeFromDisk : public ::testing::Test {
 protected:
  static std::string straight() {
    const testing::TemporaryDirectory directory;
    Process<Store> process(directory.path());
    (void)process.go();
    return process.everything();
  }
};
using AllStores = ::testing::Types<MappedNoiseStore<std::int8_t>, MappedNoiseStore<float>,
                                   MemoryNoiseStore<std::int8_t>, MemoryNoiseStore<float>>;
TYPED_TEST_SUITE(ResumeFromDisk, AllStores);

TYPED_TEST(ResumeFromDisk, GoesOnToTheSameBytesWhereverItWasKilled) {
  const std::string end = this->straight();
  for (const int k : {1, 3, 5, 7, 10, 15, 20}) {
    const testing::TemporaryDirectory directory;
    ASSERT_THROW((void)Process<TypeParam>(directory.path()).go(kill_at(k)), Killed) << k;
    Process<TypeParam> process(directory.path());
    (void)process.go();
    ASSERT_EQ(process.everything(), end) << k;
  }
}

TYPED_TEST(ResumeFromDisk, GoesOnToTheSameBytesWhenItIsKilledAgainAndAgain) {
  const testing::TemporaryDirectory directory;
  bool killed = true;
  int deaths = 0;
  std::string everything;
  while (killed && deaths < 1000) {
    Process<TypeParam> process(directory.path());
    try {
      (void)process.go(kill_at(3));
      killed = false;
      everything = process.everything();
    } catch (const Killed&) {
      ++deaths;
    }
  }
  EXPECT_GT(deaths, 8);
  EXPECT_EQ(everything, this->straight());
}

}  // namespace
}  // namespace unlearn
