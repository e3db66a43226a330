// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>  // std::uniform_random_bit_generator
#include <tuple>
#include <type_traits>

#include "unlearn/contrast/caption_shuffle.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/mem/batch_loader.hpp"
#include "unlearn/mem/caption_texts.hpp"
#include "unlearn/mem/pass.hpp"
#include "unlearn/mem/perturbed_signal.hpp"
#include "unlearn/mem/run_result.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/mem/runner.hpp"
#include "unlearn/mem/stages/noise_stage.hpp"
#include "unlearn/mem/stages/surrogate_stage.hpp"
#include "unlearn/mem/stages/trigger_stage.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// Multi-step Error Minimization: min over δ, t of E[min over f of L(f(I + δ, T ⊕ t))] (Eq. 4).
///
/// A round solves three levels in turn, each by a policy of its own: optimiser steps of the
/// surrogate, HotFlip with beam search for the triggers (Eq. 6), projected sign descent for the
/// noise (Eq. 5). It only composes; each part works alone. A level that is given no steps is left
/// out, which makes EM and UAP configurations: see configurations.hpp.
/// Source: X. Liu et al., "Multimodal Unlearnable Examples: Protecting Data against Multimodal
/// Contrastive Learning", ACM MM 2024.
///
/// A noise pass visits every perturbed signal once a round, a trigger pass every row.
template <class Ball = LinfBall<double>, class Placement = FrontPlacement, class Loss = InfoNce,
          class Constraint = AnyTrigger>
struct MultiStepMinimizer {
  ProjectedSignDescent descent{};     ///< `keep` has no say here: the loss is redrawn every step
  Ball ball{.radius = 8.0 / 255};     ///< bounds each noise
  Box<float> box{};                   ///< valid range of float signals; the lattice's is 0 to 255
  HotFlipCandidateSearch search{};    ///< proposes tokens for a trigger
  BeamSearch beam{};                  ///< tries them, and keeps what lowers the loss
  CaptionShuffle shuffle{};           ///< of the captions in the noise step
  Placement placement{};              ///< where a trigger stands in its caption
  Loss loss{};                        ///< L
  Constraint constraint{};            ///< constraint(row, trigger): may this caption have it?
  TokenFilterRef filter{};            ///< tokens that triggers may use; not copied; by default all
  std::uint32_t rounds = 20;          ///< at most; a resumed run counts the earlier ones in
  std::uint32_t trigger_rounds = 5;   ///< triggers are searched in so many first rounds
  std::size_t surrogate_steps = 200;  ///< a round
  std::size_t batch_size = 128;       ///< at most; the batches of a pass differ by one pair at most
  std::size_t encode_rows = 2048;     ///< the most sequences in one call of the text encoder
  double stop_loss = 0.01;            ///< stop when a round's last loss is below; minimising only
  Parallel execution{};               ///< how many threads the library's own work takes

  /// Runs from where `state` stands to the end.
  ///
  /// @param model     a DualEncoder; Trainable unless `surrogate_steps` is 0
  /// @param pairs     a PairSource
  /// @param state     noise, triggers, scope and progress; changed in place, batch by batch
  /// @param rng       the run's generator
  /// @param observers told of RunBegin, BatchEnd, RoundEnd, RunEnd and SafePoint
  /// @returns why it stopped, and its losses. With a deterministic model, the same state and
  ///          generator give the same bytes, whatever the number of threads.
  /// @throws InvalidArgument when shapes or settings do not fit together. What the model, the
  ///         source, the store or an observer throws passes through; the state then stands at the
  ///         last complete batch.
  template <class Model, PairSource Pairs, class Store, std::uniform_random_bit_generator Rng,
            class... Observers>
  RunResult minimize(Model& model, Pairs& pairs, RunState<Store>& state, Rng& rng,
                     Observers&&... observers) const {
    return minimize(execution, model, pairs, state, rng, observers...);
  }

  /// The same by a policy. With a device's, all that belongs to signals stays in its memory: the
  /// views that the model, the source and the store are given refer to it, and so does the
  /// gradient that the model writes. All that belongs to texts lies in the host's: token batches,
  /// the embeddings that the model returns, token gradients and, unless the model is a TokenRanker,
  /// its table.
  ///
  /// The noise is in a HostBackedNoiseStore, which has brought it home when this returns; when it
  /// throws, not all of it may be there.
  ///
  /// @param policy    of the noise's steps and of batches; `execution` is that of all other work.
  ///                  For a GPU: unlearn::cuda::Device, with DevicePairSource and DeviceNoiseStore
  /// @param model     as above
  /// @param pairs     as above; with a device's policy it writes signals to the device's memory
  /// @param state     as above
  /// @param rng       as above
  /// @param observers as above
  /// @returns and throws as above
  template <ExecutionPolicy Policy, class Model, PairSource Pairs, class Store,
            std::uniform_random_bit_generator Rng, class... Observers>
  RunResult minimize(const Policy& policy, Model& model, Pairs& pairs, RunState<Store>& state,
                     Rng& rng, Observers&&... observers) const {
    static_assert(DevicePolicy<Policy> == HostBackedNoiseStore<Store>,
                  "a policy of a device goes with a noise store in its memory, such as "
                  "unlearn::DeviceNoiseStore, and the host's with one in the host's");
    static_assert(DevicePolicy<Policy> == detail::signals_on_device<Pairs>,
                  "a policy of a device goes with a pair source that writes to its memory, such as "
                  "unlearn::DevicePairSource, and the host's with one that writes to the host's");
    using State = RunState<Store>;
    using Batch = SignalBatch<typename Pairs::sample_type, typename Store::value_type>;
    static_assert(ContrastiveLoss<Loss>,
                  "the loss is no unlearn::ContrastiveLoss: see its requirements in "
                  "unlearn/core/loss_pullback.hpp");
    static_assert(DualEncoder<Model, Batch, Loss>,
                  "the model is no unlearn::DualEncoder for this source's signals: "
                  "see its requirements in unlearn/core/concepts.hpp");
    check(pairs, state);
    using Loader = BatchLoader<Policy, Pairs, Store>;
    Loader loader(policy,
                  {.pairs = pairs, .noise = state.noise, .scope = state.scope.noise, .box = box},
                  std::min<std::size_t>(batch_size, pairs.rows()));
    CaptionTexts<Pairs, Placement> texts(
        {.pairs = pairs, .triggers = state.triggers, .trigger_scope = state.scope.triggers},
        placement);
    RunProgress& progress = state.progress;

    SurrogateStage surrogate(SurrogateSteps<Loss>{.per_round = surrogate_steps,
                                                  .batch_size = batch_size,
                                                  .rows = pairs.rows(),
                                                  .loss = loss},
                             progress.training, loader, texts, model);
    TriggerStage trigger(
        trigger_policies(),
        TriggerSearchSubject<Pairs>{
            .pairs = pairs, .triggers = state.triggers, .scope = state.scope.triggers},
        Pass({.count = pairs.rows(), .batch_size = batch_size}, progress.pass), loader, model);
    using Noise = NoiseStage<NoiseDescentPolicies<Ball, Loss>, Loader, Store,
                             CaptionTexts<Pairs, Placement>, Model>;
    Noise noise({.descent = descent, .ball = ball, .box = box, .shuffle = shuffle, .loss = loss},
                {.loader = loader, .noise = state.noise, .texts = texts, .model = model},
                PerturbedSignals(pairs, state.scope.noise), batch_size, progress.pass);

    const StopReason stop = run_stages(
        limits(), RunSubject<State, Rng, Model>{.state = state, .rng = rng, .model = model},
        std::tie(surrogate, trigger, noise), observers...);
    return {.stop = stop,
            .loss = progress.trace.empty() ? std::nullopt : progress.trace.back().last(),
            .rounds = progress.round,
            .train_steps = progress.training.steps,
            .hypotheses = trigger.hypotheses(),
            .evaluations = noise.evaluations(),
            .trace = progress.trace};
  }

 private:
  [[nodiscard]] RunLimits limits() const {
    const bool minimising = descent.goal == Goal::minimize;
    return {.rounds = rounds, .stop_loss = minimising ? std::optional(stop_loss) : std::nullopt};
  }

  [[nodiscard]] TriggerSearchPolicies<Loss, Placement, Constraint> trigger_policies() const {
    return {.search = search,
            .beam = beam,
            .placement = placement,
            .loss = loss,
            .constraint = constraint,
            .filter = filter,
            .rounds = trigger_rounds,
            .encode_rows = encode_rows,
            .execution = execution};
  }

  template <class Pairs, class State>
  void check(Pairs& pairs, const State& state) const {
    require(pairs.rows() > 0, "rows of the pair source", "at least 1", pairs.rows());
    require(batch_size > 0, "batch size", "at least 1", batch_size);
    require(encode_rows > 0, "encode_rows", "at least 1", encode_rows);
    require(descent.steps >= 0, "steps of the descent", "at least 0", descent.steps);
    box.validate();
    require_size("rows of the noise scope", pairs.rows(), state.scope.noise.rows());
    require_size("rows of the trigger scope", pairs.rows(), state.scope.triggers.rows());
    require_size("groups of the noise store", state.scope.noise.groups(), state.noise.groups());
    require_size("elements of a noise", pairs.elements(), state.noise.elements());
    require_size("groups of the trigger table", state.scope.triggers.groups(),
                 state.triggers.groups());
  }
};

static_assert(std::is_trivially_copyable_v<MultiStepMinimizer<>>);

}  // namespace unlearn
