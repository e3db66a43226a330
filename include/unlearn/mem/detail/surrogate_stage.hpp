// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/mem/detail/batch_loader.hpp"
#include "unlearn/mem/detail/pass.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn::detail {

/// Level 1 of MEM, the inner minimum of Eq. 4: min over f of L(f(I + δ, T ⊕ t)), a step at a time.
///
/// Batches come from epochs over all rows that go on from one round to the next; what is left of
/// an epoch when it no longer fills a batch is dropped, as the next epoch is drawn anew.
template <class Mem, class Loader, class Model, class State>
class SurrogateStage {
 public:
  SurrogateStage(const Mem& mem, Loader& loader, Model& model, State& state)
      : mem_(&mem), model_(&model), pairs_(&loader.pairs()), state_(&state), loader_(&loader) {}

  /// One optimiser step. @returns the loss before it.
  /// @param more whether the stage goes on with another one
  template <class Rng>
  double step(bool more, Rng& rng) {
    const Epoch epoch = next_epoch(rng);
    const std::span<const Index> rows = rows_at(epoch);
    const Scope& scope = state_->scope;
    loader_->load_signals(signals_of(*pairs_, rows));
    loader_->load_noise(state_->noise, groups_of(scope.noise, rows));
    const auto next = more ? rows_after(epoch) : std::span<const Index>();
    detail::prefetch(*pairs_, [&] { return signals_of(*pairs_, next); });
    detail::prefetch(state_->noise, [&] { return groups_of(scope.noise, next); });
    TokenSequences sequences(mem_->placement, state_->triggers.length());
    for (const Index row : rows) {
      sequences.add(pairs_->caption(row), state_->triggers[scope.triggers.of(row)]);
    }
    const double loss = train_step_on(mem_->loss, *model_, loader_->batch(), sequences.batch());
    RunProgress& progress = state_->progress;
    progress.epoch_seed = epoch.seed;
    progress.epoch_row = epoch.row + rows.size();
    ++progress.train_steps;
    return loss;
  }

 private:
  /// A place in an epoch: `row` rows of the order drawn from `seed` have been seen.
  struct Epoch {
    std::uint64_t seed;
    std::uint64_t row;
  };

  [[nodiscard]] std::size_t rows() const { return state_->scope.noise.rows(); }
  [[nodiscard]] std::size_t batch() const { return std::min(mem_->batch_size, rows()); }

  template <class Rng>
  [[nodiscard]] Epoch next_epoch(Rng& rng) const {
    const RunProgress& progress = state_->progress;
    if (progress.train_steps == 0 || progress.epoch_row + batch() > rows()) {
      return {.seed = random_bits(rng), .row = 0};
    }
    return {.seed = progress.epoch_seed, .row = progress.epoch_row};
  }

  [[nodiscard]] std::span<const Index> rows_at(const Epoch& epoch) {
    if (order_.empty() || epoch.row == 0) order_ = drawn_order(rows(), epoch.seed);
    return std::span<const Index>(order_).subspan(epoch.row, batch());
  }

  /// What the next step sees, if it is of the same epoch.
  [[nodiscard]] std::span<const Index> rows_after(const Epoch& epoch) const {
    const std::size_t next = epoch.row + batch();
    if (next + batch() > rows()) return {};
    return std::span<const Index>(order_).subspan(next, batch());
  }

  const Mem* mem_;
  Model* model_;
  typename Loader::Pairs* pairs_;
  State* state_;
  Loader* loader_;
  std::vector<Index> order_;
};

}  // namespace unlearn::detail
