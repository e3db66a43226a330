// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>  // std::uniform_random_bit_generator
#include <tuple>
#include <type_traits>

#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/mem/batch_loader.hpp"
#include "unlearn/mem/caption_texts.hpp"
#include "unlearn/mem/run_result.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/runner.hpp"
#include "unlearn/mem/stages/surrogate_stage.hpp"
#include "unlearn/trigger/front_placement.hpp"

namespace unlearn {

/// min over f of L(f(I, T)): trains a model on pairs as they are, without noise and triggers. A
/// hacker does this with published pairs.
///
/// This is a run whose only stage is SurrogateStage. Rounds, events, checkpoints and resuming work
/// as in MultiStepMinimizer. Usually a round is an epoch.
template <ContrastiveLoss Loss = InfoNce, class Placement = FrontPlacement>
struct ContrastiveTraining {
  std::uint32_t rounds = 1;      ///< the most rounds, including those before a resume
  std::size_t steps = 0;         ///< optimiser steps a round; at least 1
  std::size_t batch_size = 128;  ///< rows in a batch; fewer if there are fewer rows
  Loss loss{};                   ///< what the model minimises
  Placement placement{};         ///< cuts captions that are longer than the context

  /// Trains from the progress in `state` to the end.
  ///
  /// @param model     a model that is Trainable on the loss
  /// @param pairs     a PairSource
  /// @param state     the progress; updated after each batch
  /// @param rng       the run's generator
  /// @param observers each an Observer of RunBegin, BatchEnd, RoundEnd, RunEnd or SafePoint
  /// @returns why the run ended, and its losses
  /// @throws InvalidArgument for no rows or 2^32 of them, for no steps, for a batch that is too
  ///         small for the loss, and for a progress that is not one of this run. What the model,
  ///         the source or an observer throws passes through.
  template <class Model, PairSource Pairs, std::uniform_random_bit_generator Rng,
            class... Observers>
  RunResult train(Model& model, Pairs& pairs, TrainingState& state, Rng& rng,
                  Observers&&... observers) const {
    using Loader = CleanLoader<Pairs>;
    static_assert(Trainable<Model, typename Loader::Batch, Loss>,
                  "the model is not unlearn::Trainable: see its requirements in "
                  "unlearn/core/concepts.hpp");
    require(pairs.rows() > 0, "rows of the pair source", "at least 1", pairs.rows());
    require_numbered("rows of the pair source", pairs.rows());
    require(steps > 0 || rounds == 0, "steps of a round", "at least 1", steps);
    require(batch_size > 0, "batch size", "at least 1", batch_size);
    Loader loader(pairs);
    BareCaptions texts(pairs, placement);
    RunProgress& progress = state.progress;
    SurrogateStage surrogate(
        SurrogateSteps<Loss>{
            .per_round = steps, .batch_size = batch_size, .rows = pairs.rows(), .loss = loss},
        progress.training, loader, texts, model);
    const StopReason stop = run_stages(
        RunLimits{.rounds = rounds},
        RunSubject<TrainingState, Rng, Model>{.state = state, .rng = rng, .model = model},
        std::tie(surrogate), observers...);
    return {.stop = stop,
            .loss = progress.trace.empty() ? std::nullopt : progress.trace.back().last(),
            .rounds = progress.round,
            .train_steps = progress.training.steps,
            .trace = progress.trace};
  }
};

static_assert(std::is_trivially_copyable_v<ContrastiveTraining<>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
