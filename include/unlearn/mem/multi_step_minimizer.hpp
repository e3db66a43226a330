// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

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
#include "unlearn/core/finite.hpp"
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
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"  // the name of the default
#include "unlearn/noise/sign_step.hpp"
#include "unlearn/noise/step_rule.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// Multi-step Error Minimization: min over δ, t of E[min over f of L(f(I + δ, T ⊕ t))] (Eq. 4).
///
/// A round has three levels, each with its own policies: optimiser steps of the surrogate f,
/// HotFlip and beam search for the triggers t (Eq. 6), and projected sign descent for the noise δ
/// (Eq. 5). In a round, the trigger search visits every row once, and the descent every perturbed
/// signal once.
///
/// This class only puts the parts together; each of them also works alone. A level without steps is
/// left out, and so is the search if triggers have no tokens. So EM and UAP are configurations of
/// this class: see configurations.hpp.
///
/// Source: X. Liu et al., "Multimodal Unlearnable Examples: Protecting Data against Multimodal
/// Contrastive Learning", ACM MM 2024.
template <class Ball = LinfBall<double>, class Placement = FrontPlacement, class Loss = InfoNce,
          class Constraint = AnyTrigger, StepRule Rule = SignStep>
struct MultiStepMinimizer {
  ProjectedDescent<Rule> descent{};   ///< `keep` is ignored: the loss is drawn anew at each step
  Ball ball{.radius = 8.0 / 255};     ///< the bound of each noise
  Box<float> box{};                   ///< valid range of float signals; pixels have 0 to 255
  HotFlipCandidateSearch search{};    ///< proposes tokens for a trigger
  BeamSearch beam{};                  ///< keeps those that lower the loss
  CaptionShuffle shuffle{};           ///< of the captions in the noise step
  Placement placement{};              ///< where a trigger is put in its caption
  Loss loss{};                        ///< L
  Constraint constraint{};            ///< constraint(row, trigger): is it allowed there?
  TokenFilterRef filter{};            ///< tokens that triggers may use; by default all
  std::uint32_t rounds = 20;          ///< the most rounds, including those before a resume
  std::uint32_t trigger_rounds = 5;   ///< the first rounds, in which triggers are searched
  std::size_t surrogate_steps = 200;  ///< optimiser steps in each round
  std::size_t batch_size = 128;       ///< the most pairs in a batch; batches differ by at most one
  std::size_t encode_rows = 2048;     ///< the most sequences in one call of the text encoder
  double stop_loss = 0.01;            ///< a lower last loss of a round ends a minimising run
  Parallel execution{};               ///< how many threads the library's own work uses

  /// Runs from the progress in `state` to the end. Everything is in the host's memory.
  ///
  /// @param model     a DualEncoder; Trainable unless `surrogate_steps` is 0
  /// @param pairs     a PairSource of N signals [N, elements] and their captions
  /// @param state     noise, triggers, scope and progress; updated in place after each batch
  /// @param rng       the run's generator
  /// @param observers each an Observer of RunBegin, BatchEnd, RoundEnd, RunEnd or SafePoint
  /// @returns why the run ended, its losses, and how much work it did. With a deterministic model,
  ///          the same state and generator give the same bytes for any number of threads.
  /// @throws InvalidArgument when shapes or settings do not fit together, when a level that is to
  ///         run could change nothing (see the constructors of the stages), for a float signal
  ///         outside the box, and for a model whose gradient functions do not keep to DualEncoder.
  ///         What the model, the source, the store or an observer throws passes through. The state
  ///         is then that of the last complete batch.
  template <class Model, PairSource Pairs, class Store, std::uniform_random_bit_generator Rng,
            class... Observers>
  RunResult minimize(Model& model, Pairs& pairs, RunState<Store>& state, Rng& rng,
                     Observers&&... observers) const {
    return minimize(execution, model, pairs, state, rng, observers...);
  }

  /// Runs with a policy of your choice. Parameters, result and exceptions are those of the overload
  /// above, with these differences for the policy of a device:
  ///  - Signals, noise and the gradients of signals are in the memory of the device. The model, the
  ///    source and the store get views of that memory.
  ///  - Texts are in the host's memory: token batches, the embeddings that the model returns, token
  ///    gradients and, unless the model is a TokenRanker, its token embeddings.
  ///  - The noise is in a HostBackedNoiseStore. When this returns, the store has copied all of it
  ///    to the host. When this throws, some of it may not have been copied.
  ///
  /// @param policy    where batches are kept and noise steps are computed; all other work uses
  ///                  `execution`. For a GPU: unlearn::cuda::Device. An executor's policy, from
  ///                  on(), does all other work, too, and `execution` has no effect
  /// @param model     a DualEncoder; Trainable unless `surrogate_steps` is 0
  /// @param pairs     a PairSource that writes to the policy's memory; for a GPU: DevicePairSource
  /// @param state     noise, triggers, scope and progress; for a GPU with a DeviceNoiseStore
  /// @param rng       the run's generator
  /// @param observers each an Observer of RunBegin, BatchEnd, RoundEnd, RunEnd or SafePoint
  /// @returns why the run ended, its losses, and how much work it did
  /// @throws InvalidArgument as the overload above
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
        trigger_policies(threads_of(policy)),
        TriggerSearchSubject<Pairs>{
            .pairs = pairs, .triggers = state.triggers, .scope = state.scope.triggers},
        Pass({.count = pairs.rows(), .batch_size = batch_size}, progress.pass), loader, model);
    using Noise = NoiseStage<NoiseDescentPolicies<Ball, Loss, Rule>, Loader, Store,
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

  /// What does the work that is not done by the run's policy.
  template <class Policy>
  [[nodiscard]] auto threads_of([[maybe_unused]] const Policy& policy) const {
    if constexpr (detail::is_on_executor<Policy>) {
      return policy;
    } else {
      return execution;
    }
  }

  template <class Execution>
  [[nodiscard]] TriggerSearchPolicies<Loss, Placement, Constraint, Execution> trigger_policies(
      const Execution& threads) const {
    return {.search = search,
            .beam = beam,
            .placement = placement,
            .loss = loss,
            .constraint = constraint,
            .filter = filter,
            .rounds = trigger_rounds,
            .encode_rows = encode_rows,
            .execution = threads};
  }

  template <class Pairs, class State>
  void check(Pairs& pairs, const State& state) const {
    require(pairs.rows() > 0, "rows of the pair source", "at least 1", pairs.rows());
    require_numbered("rows of the pair source", pairs.rows());
    require_numbered("signals of the pair source", pairs.signals());
    require(pairs.elements() > 0, "elements of a signal", "at least 1", pairs.elements());
    require(batch_size > 0, "batch size", "at least 1", batch_size);
    require(encode_rows > 0, "encode_rows", "at least 1", encode_rows);
    require(descent.steps >= 0, "steps of the descent", "at least 0", descent.steps);
    const std::uint32_t round = state.progress.round;
    const bool searches = trigger_rounds > round && state.triggers.length() > 0;
    require(round >= rounds || surrogate_steps > 0 || descent.steps > 0 || searches,
            "levels of the run",
            "surrogate_steps, descent.steps, or trigger_rounds with triggers in the state",
            "none of them");
    require(!is_nan(stop_loss), "stop_loss", "a number", stop_loss);
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

#include "unlearn/core/pop_macros.hpp"
