// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <string_view>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/mem/pass.hpp"
#include "unlearn/mem/run_progress.hpp"
#include "unlearn/mem/stage.hpp"

namespace unlearn {

/// The name of SurrogateStage.
inline constexpr std::string_view surrogate_stage = "surrogate";

/// How a surrogate is trained.
template <ContrastiveLoss Loss>
struct SurrogateSteps {
  std::size_t per_round = 200;   ///< optimiser steps; 0 leaves the stage out
  std::size_t batch_size = 128;  ///< at most; fewer where there are fewer rows
  std::size_t rows = 0;          ///< of the data set
  Loss loss{};                   ///< what the model minimises, with its current parameters
};

/// Level 1 of MEM, the inner minimum of Eq. 4: min over f of L(f(I + δ, T ⊕ t)), a step at a time.
///
/// Batches come from epochs over all rows that continue from one round to the next. What is left of
/// an epoch when it no longer fills a batch is dropped, as the next epoch is drawn anew.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 4.
///
/// @tparam Loader `load(rows, next)` gives the signals of rows: BatchLoader or CleanLoader
/// @tparam Texts  `texts(rows)` gives their texts: CaptionTexts or BareCaptions
/// @tparam Model  Trainable on the loss, unless there are no steps
template <class Loss, class Loader, class Texts, class Model>
class SurrogateStage {
 public:
  /// See RunStage.
  static constexpr std::string_view name = surrogate_stage;

  /// The references must outlive the stage; `progress` is the part that it writes.
  SurrogateStage(const SurrogateSteps<Loss>& steps, TrainingProgress& progress, Loader& loader,
                 Texts& texts, Model& model)
      : steps_(steps), progress_(&progress), loader_(&loader), texts_(&texts), model_(&model) {}

  /// A batch is an optimiser step.
  [[nodiscard]] std::size_t batches(std::uint32_t /*round*/) const { return steps_.per_round; }

  /// One optimiser step.
  /// @returns the loss before it
  /// @throws InvalidArgument for a model that is not Trainable
  template <std::uniform_random_bit_generator Rng>
  std::optional<double> run(const StageBatch& at, Rng& rng) {
    if constexpr (Trainable<Model, typename Loader::Batch, Loss>) {
      const Epoch epoch = next_epoch(rng);
      const std::span<const Index> rows = rows_at(epoch);
      const bool more = at.batch + 1 < at.batches;
      const auto next = more ? rows_after(epoch) : std::span<const Index>();
      const double loss =
          train_step_on(steps_.loss, *model_, loader_->load(rows, next), (*texts_)(rows));
      *progress_ = {.epoch_seed = epoch.seed,
                    .epoch_row = epoch.row + rows.size(),
                    .steps = progress_->steps + 1};
      return loss;
    } else {
      throw InvalidArgument(
          expectation("surrogate_steps for a model without train_step", 0, steps_.per_round));
    }
  }

 private:
  /// A place in an epoch: `row` rows of the order drawn from `seed` have been seen.
  struct Epoch {
    std::uint64_t seed;
    std::uint64_t row;
  };

  [[nodiscard]] std::size_t batch_size() const { return std::min(steps_.batch_size, steps_.rows); }

  template <class Rng>
  [[nodiscard]] Epoch next_epoch(Rng& rng) const {
    if (progress_->steps == 0 || progress_->epoch_row + batch_size() > steps_.rows) {
      return {.seed = random_bits(rng), .row = 0};
    }
    return {.seed = progress_->epoch_seed, .row = progress_->epoch_row};
  }

  [[nodiscard]] std::span<const Index> rows_at(const Epoch& epoch) {
    if (order_.empty() || epoch.row == 0) order_ = drawn_order(steps_.rows, epoch.seed);
    return std::span<const Index>(order_).subspan(epoch.row, batch_size());
  }

  /// What the next step sees, if it is of the same epoch.
  [[nodiscard]] std::span<const Index> rows_after(const Epoch& epoch) const {
    const std::size_t next = epoch.row + batch_size();
    if (next + batch_size() > steps_.rows) return {};
    return std::span<const Index>(order_).subspan(next, batch_size());
  }

  SurrogateSteps<Loss> steps_;
  TrainingProgress* progress_;
  Loader* loader_;
  Texts* texts_;
  Model* model_;
  std::vector<Index> order_;
};

}  // namespace unlearn
