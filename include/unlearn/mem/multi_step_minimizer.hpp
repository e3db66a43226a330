// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_shuffle.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/observer.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/mem/detail/batch_loader.hpp"
#include "unlearn/mem/detail/noise_stage.hpp"
#include "unlearn/mem/detail/pass.hpp"
#include "unlearn/mem/detail/surrogate_stage.hpp"
#include "unlearn/mem/detail/trigger_stage.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// What a run came to. Noise and triggers stand in its state.
struct RunResult {
  StopReason stop = StopReason::running;  ///< why it ended
  double loss = RoundLosses::not_run;     ///< of the last stage of the last complete round
  std::uint32_t rounds = 0;               ///< complete rounds, those before a resume included
  std::uint64_t train_steps = 0;          ///< surrogate steps, those before a resume included
  std::size_t hypotheses = 0;             ///< triggers scored by this call
  std::size_t evaluations = 0;            ///< of the noise's loss by this call
  std::vector<RoundLosses> trace{};       ///< a line for each complete round
};

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
    static_assert(
        (Observer<std::remove_reference_t<Observers>, RunBegin, BatchEnd, RoundEnd, RunEnd,
                  SafePoint<State, Rng, Model>> &&
         ...),
        "an observer matches no hook: it must take unlearn::RunBegin, BatchEnd, RoundEnd, "
        "RunEnd or SafePoint by const reference, and return void or unlearn::Flow");
    check(pairs, state);
    using Loader = detail::BatchLoader<Policy, Pairs, Store>;
    Loader loader(policy, pairs, box, std::min<std::size_t>(batch_size, pairs.rows()));
    Run<Loader, Model, State, Rng> run(*this, loader, model, state, rng);
    return run.go(observers...);
  }

 private:
  template <class Loader, class Model, class State, class Rng>
  class Run;

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
    require(state.progress.round <= rounds, "round of the state to go on from",
            "at most the round limit of " + std::to_string(rounds), state.progress.round);
  }
};

/// One run of the minimizer: walks through rounds, stages and batches.
template <class Ball, class Placement, class Loss, class Constraint>
template <class Loader, class Model, class State, class Rng>
class MultiStepMinimizer<Ball, Placement, Loss, Constraint>::Run {
 public:
  Run(const MultiStepMinimizer& mem, Loader& loader, Model& model, State& state, Rng& rng)
      : mem_(mem),
        model_(model),
        state_(state),
        rng_(rng),
        surrogate_(mem, loader, model, state),
        trigger_(mem, loader, model, state),
        noise_(mem, loader, model, state) {}

  template <class... Observers>
  RunResult go(Observers&... observers) {
    RunProgress& progress = state_.progress;
    check_batch();
    const RunBegin begin{
        .first_round = progress.round, .rounds = mem_.rounds, .complete = progress.trace};
    const Flow wish = detail::notify(begin, observers...);
    StopReason stop = reason_to_stop();
    if (stop == StopReason::running && wish == Flow::stop) stop = StopReason::stopped_by_observer;
    while (stop == StopReason::running) {
      const std::uint32_t round = progress.round;
      const std::size_t batches = cut(progress.stage).batches();
      Flow flow = Flow::proceed;
      if (batches == 0) {
        end_stage(batches);
      } else {
        const BatchEnd event = run_batch(batches);
        if (!is_finite(event.loss)) {
          stop = StopReason::not_finite;
          break;
        }
        // Before anybody is told: an observer may throw, and the state must be one to go on from.
        progress.loss_sum += event.loss;
        if (++progress.batch == batches) end_stage(batches);
        flow = detail::notify(event, observers...);
      }
      if (progress.round > round) {
        const RoundEnd event{.losses = progress.trace.back(), .rounds = mem_.rounds};
        if (detail::notify(event, observers...) == Flow::stop) flow = Flow::stop;
        stop = reason_to_stop();
      }
      if (stop == StopReason::running && flow == Flow::stop) stop = StopReason::stopped_by_observer;
      flow = tell_safe_point(stop != StopReason::running, observers...);
      if (stop == StopReason::running && flow == Flow::stop) {
        stop = StopReason::stopped_by_observer;
        tell_safe_point(true, observers...);
      }
    }
    detail::write_back(state_.noise);
    detail::notify(RunEnd{.stop = stop}, observers...);
    return result(stop);
  }

 private:
  /// @throws InvalidArgument for a state that was left in the midst of a stage which now, with
  ///         other settings, has fewer batches.
  void check_batch() const {
    const RunProgress& progress = state_.progress;
    if (progress.batch == 0) return;
    const std::size_t batches = cut(progress.stage).batches();
    require(progress.batch < batches, "batch of the state to go on from",
            "below the stage's " + std::to_string(batches), progress.batch);
  }

  template <class... Observers>
  Flow tell_safe_point(bool last, Observers&... observers) {
    const SafePoint<State, Rng, Model> safe{
        .state = state_, .rng = rng_, .model = model_, .last = last};
    return detail::notify(safe, observers...);
  }

  [[nodiscard]] StopReason reason_to_stop() const {
    const RunProgress& progress = state_.progress;
    const bool minimising = mem_.descent.goal == Goal::minimize;
    if (minimising && !progress.trace.empty() && progress.trace.back().last() < mem_.stop_loss) {
      return StopReason::converged;
    }
    return progress.round == mem_.rounds ? StopReason::round_limit : StopReason::running;
  }

  /// What the stage visits in this round; no batches when the round leaves it out.
  [[nodiscard]] detail::PassCut cut(Stage stage) const {
    switch (stage) {
      case Stage::surrogate: return {.count = mem_.surrogate_steps, .batch_size = 1};
      case Stage::trigger: {
        const bool searched =
            state_.progress.round < mem_.trigger_rounds && state_.triggers.length() > 0;
        return {.count = searched ? state_.scope.triggers.rows() : 0,
                .batch_size = mem_.batch_size};
      }
      case Stage::noise: {
        const std::size_t count = mem_.descent.steps > 0 ? noise_.signals().size() : 0;
        return {.count = count, .batch_size = mem_.batch_size};
      }
    }
    return {};
  }

  BatchEnd run_batch(std::size_t batches) {
    const RunProgress& progress = state_.progress;
    return {.round = progress.round,
            .rounds = mem_.rounds,
            .stage = progress.stage,
            .batch = progress.batch,
            .batches = batches,
            .loss = loss_of_batch(progress.stage)};
  }

  double loss_of_batch(Stage stage) {
    if (stage == Stage::surrogate) return train_step();
    const std::span<const Index> batch = batch_due(stage);
    const std::span<const Index> next = batch_after(stage);
    if (stage == Stage::trigger) {
      const BeamResult found = trigger_.search(batch, next);
      hypotheses_ += found.hypotheses;
      return found.loss;
    }
    const DescentResult found = noise_.descend(batch, next, rng_);
    evaluations_ += static_cast<std::size_t>(found.evaluations);
    return found.stop == StopReason::not_finite ? RoundLosses::not_run : found.value;
  }

  double train_step() {
    if constexpr (Trainable<Model, typename Loader::Batch>) {
      return surrogate_.step(state_.progress.batch + 1 < mem_.surrogate_steps, rng_);
    } else {
      throw InvalidArgument(
          expectation("surrogate_steps for a model without train_step", 0, mem_.surrogate_steps));
    }
  }

  /// The items of the batch that is due. The order is drawn once a stage, from a seed that is part
  /// of the progress, so a resumed run finds it again.
  [[nodiscard]] std::span<const Index> batch_due(Stage stage) {
    RunProgress& progress = state_.progress;
    const detail::PassCut pass = cut(stage);
    if (progress.batch == 0) progress.order_seed = random_bits(rng_);
    if (progress.batch == 0 || order_.size() != pass.count) {
      order_ = detail::drawn_order(pass.count, progress.order_seed);
    }
    return pass.batch(order_, progress.batch);
  }

  /// The batch behind it, empty for the last one of a stage.
  [[nodiscard]] std::span<const Index> batch_after(Stage stage) const {
    const detail::PassCut pass = cut(stage);
    const std::uint64_t next = state_.progress.batch + 1;
    return next < pass.batches() ? pass.batch(order_, next) : std::span<const Index>();
  }

  void end_stage(std::size_t batches) {
    RunProgress& progress = state_.progress;
    if (batches > 0) {
      progress.current.of(progress.stage) = progress.loss_sum / static_cast<double>(batches);
    }
    progress.batch = 0;
    progress.loss_sum = 0;
    if (progress.stage != Stage::noise) {
      progress.stage = progress.stage == Stage::surrogate ? Stage::trigger : Stage::noise;
      return;
    }
    progress.trace.push_back(progress.current);
    progress.stage = Stage::surrogate;
    progress.current = {.round = ++progress.round};
  }

  [[nodiscard]] RunResult result(StopReason stop) const {
    const RunProgress& progress = state_.progress;
    return {.stop = stop,
            .loss = progress.trace.empty() ? RoundLosses::not_run : progress.trace.back().last(),
            .rounds = progress.round,
            .train_steps = progress.train_steps,
            .hypotheses = hypotheses_,
            .evaluations = evaluations_,
            .trace = progress.trace};
  }

  const MultiStepMinimizer& mem_;
  Model& model_;
  State& state_;
  Rng& rng_;
  detail::SurrogateStage<MultiStepMinimizer, Loader, Model, State> surrogate_;
  detail::TriggerStage<MultiStepMinimizer, Loader, Model, State> trigger_;
  detail::NoiseStage<MultiStepMinimizer, Loader, Model, State> noise_;
  std::vector<Index> order_;
  std::size_t hypotheses_ = 0;
  std::size_t evaluations_ = 0;
};

static_assert(std::is_trivially_copyable_v<MultiStepMinimizer<>>);

}  // namespace unlearn
