// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

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
#include "unlearn/mem/detail/idle_run.hpp"
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
  std::size_t batch_size = 128;  ///< rows in a batch; fewer if there are fewer rows
  std::size_t rows = 0;          ///< rows of the data set
  Loss loss{};                   ///< what the model minimises, with its current parameters
};

/// Level 1 of MEM, steps towards the inner minimum of Eq. 4: min over f of L(f(I + δ, T ⊕ t)).
///
/// The batches come from epochs over all rows. An epoch continues from one round to the next. The
/// last rows of an epoch are left out if they do not fill a batch; the next epoch has a new order.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 4.
///
/// @tparam Loader `load(rows, next)` gives the signals of rows: BatchLoader or CleanLoader
/// @tparam Texts  `texts(rows)` gives their texts: CaptionTexts or BareCaptions
/// @tparam Model  Trainable on the loss, unless there are no steps
template <class Loss, class Loader, class Texts, class Model>
class SurrogateStage {
 public:
  /// The stage's name in events, traces and checkpoints.
  static constexpr std::string_view name = surrogate_stage;

  /// @param steps    how the surrogate is trained
  /// @param progress the part of the progress that the stage writes; must outlive it
  /// @param loader   gives the signals; must outlive the stage
  /// @param texts    gives their texts; must outlive the stage
  /// @param model    the surrogate; must outlive the stage
  /// @throws InvalidArgument when there are steps and a batch has fewer pairs than the loss needs
  SurrogateStage(const SurrogateSteps<Loss>& steps, TrainingProgress& progress, Loader& loader,
                 Texts& texts, Model& model)
      : steps_(steps), progress_(&progress), loader_(&loader), texts_(&texts), model_(&model) {
    // A model with a loss of its own knows how many pairs that needs.
    if constexpr (TrainableOn<Model, typename Loader::Batch, Loss>) {
      if (steps.per_round > 0) detail::require_enough_pairs<Loss>(name, batch_size());
    }
  }

  /// The number of optimiser steps in a round; each is a batch.
  [[nodiscard]] std::size_t batches(std::uint32_t /*round*/) const { return steps_.per_round; }

  /// Takes one optimiser step.
  /// @param at  the step that is due
  /// @param rng the run's generator
  /// @returns the loss before the step
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
  /// A place in an epoch: the first `row` rows of the order drawn from `seed` have been seen.
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

  /// The rows of the next step; none if it begins a new epoch.
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

#include "unlearn/core/pop_macros.hpp"
