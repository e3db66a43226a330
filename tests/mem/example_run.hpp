// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn::testing {

using Pixels = TwoTowerPairs<std::uint8_t>;
using Floats = TwoTowerPairs<float>;
using BothSamples = ::testing::Types<std::uint8_t, float>;

template <class Pairs>
using StateOf = RunState<MemoryNoiseStore<noise_of_t<Pairs>>>;

/// Calls `hook` at every safe point.
template <class Hook>
struct AtSafePoints {
  Hook hook;
  template <class State, class Rng, class Model>
  auto operator()(const SafePoint<State, Rng, Model>& safe) {
    return hook(safe);
  }
};
template <class Hook>
AtSafePoints(Hook) -> AtSafePoints<Hook>;

/// Everything that a run of `mem` needs, and its results.
template <class Pairs = Pixels, class Model = TwoTowers>
struct Example {
  Pairs pairs;
  Model model{pairs.elements()};
  StateOf<Pairs> state = fresh_state(pairs, two_words);
  RunRng rng{7};

  Example() = default;
  explicit Example(typename Pairs::Shape shape, std::uint64_t seed = 1) : pairs(shape, seed) {}

  void share(Scope scope) { state = fresh_state(pairs, two_words, std::move(scope)); }

  template <class Mem, class... Observers>
  RunResult run(const Mem& mem, Observers&&... observers) {
    return mem.minimize(model, pairs, state, rng, observers...);
  }
  [[nodiscard]] std::string everything() const { return text_of(state, rng, model); }
};

/// Records every event.
struct Diary {
  std::vector<std::string> entries{};

  void operator()(const RunBegin& event) {
    entries.push_back("begin " + std::to_string(event.first_round) + "/" +
                      std::to_string(event.rounds));
  }
  void operator()(const BatchEnd& event) {
    entries.push_back(std::to_string(event.round) + "/" + std::to_string(event.rounds) + " " +
                      std::string(event.stage) + " " + std::to_string(event.batch) + "/" +
                      std::to_string(event.batches));
  }
  void operator()(const RoundEnd& event) {
    entries.push_back("round " + std::to_string(event.losses.round) + "/" +
                      std::to_string(event.rounds));
  }
  void operator()(const RunEnd& event) {
    entries.push_back("end " + std::string(to_string(event.stop)));
  }
  template <class State, class Rng, class Model>
  void operator()(const SafePoint<State, Rng, Model>& safe) {
    entries.emplace_back(safe.last ? "last safe point" : "safe point");
  }
};

}  // namespace unlearn::testing
