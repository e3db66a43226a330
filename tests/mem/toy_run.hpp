// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <ostream>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "temporary_directory.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/stages/noise_stage.hpp"
#include "unlearn/mem/stages/surrogate_stage.hpp"
#include "unlearn/mem/stages/trigger_stage.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn::testing {

/// A model of a few numbers, which depend on everything it was trained on.
struct ToyModel {
  std::vector<std::uint64_t> weights = std::vector<std::uint64_t>(20, 1);

  void train_step(std::uint64_t to) {
    for (std::uint64_t& weight : weights) weight = (weight ^ to++) * 0x9E3779B97F4A7C15U;
  }
  void save(std::ostream& out) const {
    for (const std::uint64_t weight : weights) out << weight << ' ';
  }
  void load(std::istream& in) {
    for (std::uint64_t& weight : weights) in >> weight;
  }
  bool operator==(const ToyModel&) const = default;
};

/// A model that does not change, so it need not be saved.
struct FrozenModel {};

using Rng = std::mt19937_64;

inline constexpr CheckpointOptions at_every_batch{.every = std::chrono::seconds(0)};

template <class Store>
RunState<Store> toy_state(Store noise) {
  const std::size_t rows = noise.groups();
  return {.noise = std::move(noise),
          .triggers = TriggerTable(rows, 2, std::vector<Token>(2 * rows, 7)),
          .scope = {.noise = GroupMap::per_row(rows), .triggers = GroupMap::per_row(rows)}};
}

/// The run's noise: in the file `noise.npy`, or in memory.
template <class Store>
Store toy_noise(const std::string& directory) {
  constexpr std::size_t groups = 5;
  constexpr std::size_t elements = 4;
  if constexpr (JournaledNoiseStore<Store>) {
    const std::string path = directory + "/noise.npy";
    return std::filesystem::exists(path) ? Store::open(path)
                                         : Store::create(path, groups, elements);
  } else {
    return Store(groups, elements);
  }
}

/// One batch in which everything depends on everything else.
template <class Store, class Model>
void toy_batch(RunState<Store>& state, Rng& rng, Model& model) {
  using N = typename Store::value_type;
  constexpr std::uint64_t batches = 3;
  RunProgress& progress = state.progress;
  std::uint64_t drawn = rng();
  if constexpr (requires { model.train_step(drawn); }) drawn += model.weights[drawn % 20];
  const auto group = static_cast<Index>(drawn % state.noise.groups());
  std::vector<N> row(state.noise.elements());
  const std::span<const Index> groups(&group, 1);
  state.noise.load(groups, View<N, 2>(row, {1, row.size()}));
  if (progress.stage.empty()) progress.stage = surrogate_stage;
  if (progress.stage == surrogate_stage) {
    if constexpr (requires { model.train_step(drawn); }) {
      for (const N element : row) drawn = 31 * drawn + static_cast<std::uint64_t>(element + 128);
      model.train_step(drawn + static_cast<std::uint64_t>(state.triggers[group][0]));
      ++progress.training.steps;
    }
    progress.training.epoch_seed = drawn;
    ++progress.training.epoch_row;
  } else if (progress.stage == trigger_stage) {
    state.triggers[group][drawn % 2] = static_cast<Token>(drawn % 49'408);
  } else {
    for (N& element : row) element = static_cast<N>(static_cast<int>((drawn >>= 4U) % 17) - 8);
    state.noise.store(groups, View<const N, 2>(row, {1, row.size()}));
  }
  const double loss = static_cast<double>(drawn % 1000) / 3;
  progress.pass.order_seed = drawn;
  progress.loss_sum += loss;
  if (++progress.batch < batches) return;
  progress.current.stages.push_back({.stage = progress.stage, .mean = progress.loss_sum});
  progress.batch = 0;
  progress.loss_sum = 0;
  if (progress.stage == noise_stage) {
    progress.trace.push_back(progress.current);
    progress.current = {.round = ++progress.round};
    progress.stage = surrogate_stage;
  } else {
    progress.stage = progress.stage == surrogate_stage ? trigger_stage : noise_stage;
  }
}

/// State, generator and model of a run over the files in one directory.
template <class Store = MappedNoiseStore<>, class Model = ToyModel>
struct ToyRun {
  using Safe = SafePoint<RunState<Store>, Rng, Model>;

  explicit ToyRun(const std::string& directory) : state(toy_state(toy_noise<Store>(directory))) {}

  bool restore(Checkpoint<>& checkpoint) { return checkpoint.restore(state, rng, model); }

  void begin(Checkpoint<>& checkpoint) {
    checkpoint(RunBegin{.first_round = state.progress.round, .rounds = rounds});
  }

  /// Runs one batch, and the safe point after it.
  void batch(Checkpoint<>& checkpoint) {
    toy_batch(state, rng, model);
    safe_point(checkpoint);
  }

  void safe_point(Checkpoint<>& checkpoint) {
    checkpoint(Safe{state, rng, model, state.progress.round == rounds});
  }

  /// Continues the run to its end.
  void finish(Checkpoint<>& checkpoint) {
    begin(checkpoint);
    while (state.progress.round < rounds) batch(checkpoint);
  }

  /// All results, as text for comparisons.
  std::string everything() const {
    std::ostringstream text;
    std::vector<typename Store::value_type> row(state.noise.elements());
    for (Index group = 0; group < state.noise.groups(); ++group) {
      state.noise.load(std::span(&group, 1),
                       View<typename Store::value_type, 2>(row, {1, row.size()}));
      for (const auto element : row) text << +element << ' ';
    }
    for (const Token token : state.triggers.view().flat()) text << token << ' ';
    detail::ManifestWriter progress;
    detail::CheckpointManifest manifest{.progress = state.progress};
    detail::describe(progress, manifest);
    text << progress.text() << rng << ' ';
    if constexpr (Checkpointable<Model>) model.save(text);
    return text.str();
  }

  static constexpr std::uint32_t rounds = 2;
  RunState<Store> state;
  Rng rng{17};
  Model model{};
};

}  // namespace unlearn::testing
