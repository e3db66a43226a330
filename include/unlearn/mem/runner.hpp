// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/observer.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/run_progress.hpp"
#include "unlearn/mem/stage.hpp"

namespace unlearn {

/// When a run ends by itself.
struct RunLimits {
  std::uint32_t rounds = 1;  ///< the most rounds, including those before a resume
  /// The run has converged when the last loss of a round is below this. Without it, it never has.
  std::optional<double> stop_loss{};
};

/// What a run changes; observers get it at safe points.
template <class State, class Rng, class Model>
struct RunSubject {
  State& state;  ///< has a RunProgress `progress`
  Rng& rng;      ///< the run's generator
  Model& model;  ///< what the stages work with
};

namespace detail {

/// Walks through rounds, stages and batches. Only the runner writes the rounds, batches and losses
/// of the progress. It does not know what a stage does.
template <class Subject, class... Stages>
class Runner {
 public:
  Runner(const RunLimits& limits, const Subject& subject, const std::tuple<Stages&...>& stages)
      : limits_(limits), subject_(subject), stages_(stages), progress_(subject.state.progress) {}

  template <class... Observers>
  StopReason run(Observers&... observers) {
    stage_ = stage_under_way();
    check_batch();
    const RunBegin begin{
        .first_round = progress_.round, .rounds = limits_.rounds, .complete = progress_.trace};
    const Flow wish = notify(begin, observers...);
    StopReason stop = reason_to_stop();
    if (stop == StopReason::running && wish == Flow::stop) stop = StopReason::stopped_by_observer;
    while (stop == StopReason::running) {
      const std::uint32_t round = progress_.round;
      Flow flow = Flow::proceed;
      if (const std::size_t batches = batches_of_stage(); batches == 0) {
        end_stage(batches);
      } else {
        const BatchEnd event = batch_under_way(batches);
        const std::optional<double> loss = run_batch(event);
        if (!loss || !is_finite(*loss)) {
          progress_.stage = event.stage;
          stop = StopReason::not_finite;
          break;
        }
        flow = end_batch(event, *loss, observers...);
      }
      if (progress_.round > round) {
        const RoundEnd event{.losses = progress_.trace.back(), .rounds = limits_.rounds};
        if (notify(event, observers...) == Flow::stop) flow = Flow::stop;
        stop = reason_to_stop();
      }
      if (stop == StopReason::running && flow == Flow::stop) stop = StopReason::stopped_by_observer;
      flow = tell_safe_point(stop != StopReason::running, observers...);
      if (stop == StopReason::running && flow == Flow::stop) {
        stop = StopReason::stopped_by_observer;
        tell_safe_point(true, observers...);
      }
    }
    for_each_stage([](auto& stage) {
      if constexpr (requires { stage.finish(); }) stage.finish();
    });
    notify(RunEnd{.stop = stop}, observers...);
    return stop;
  }

 private:
  template <class Call>
  void for_each_stage(const Call& call) const {
    std::apply([&](auto&... stages) { (call(stages), ...); }, stages_);
  }

  /// What `call` returns for the current stage.
  template <class Call>
  [[nodiscard]] auto at_stage(const Call& call) const {
    using First = std::tuple_element_t<0, std::tuple<Stages&...>>;
    std::invoke_result_t<const Call&, First> result{};
    std::size_t index = 0;
    for_each_stage([&](auto& stage) {
      if (index++ == stage_) result = call(stage);
    });
    return result;
  }

  /// @throws InvalidArgument for a state that was left in a stage which this run does not have
  [[nodiscard]] std::size_t stage_under_way() const {
    if (progress_.stage.empty()) return 0;
    std::size_t found = sizeof...(Stages);
    std::size_t index = 0;
    std::string names;
    for_each_stage([&](auto& stage) {
      if (stage.name == progress_.stage) found = index;
      names.append(index++ == 0 ? "" : ", ").append(stage.name);
    });
    require(found < sizeof...(Stages), "stage of the state to go on from", "one of " + names,
            progress_.stage);
    return found;
  }

  /// @throws InvalidArgument for a state that was left within a stage which now, with other
  ///         settings, has fewer batches
  void check_batch() const {
    if (progress_.batch == 0) return;
    const std::size_t batches = batches_of_stage();
    require(progress_.batch < batches, "batch of the state to go on from",
            "below the stage's " + std::to_string(batches), progress_.batch);
  }

  [[nodiscard]] StopReason reason_to_stop() const {
    if (limits_.stop_loss && !progress_.trace.empty()) {
      const std::optional<double> loss = progress_.trace.back().last();
      if (loss && *loss < *limits_.stop_loss) return StopReason::converged;
    }
    return progress_.round == limits_.rounds ? StopReason::round_limit : StopReason::running;
  }

  [[nodiscard]] std::string_view name_of_stage() const {
    return at_stage([](const auto& stage) { return std::string_view(stage.name); });
  }

  [[nodiscard]] std::size_t batches_of_stage() const {
    return at_stage([&](const auto& stage) { return std::size_t{stage.batches(progress_.round)}; });
  }

  /// The batch that is due; it has no loss yet.
  [[nodiscard]] BatchEnd batch_under_way(std::size_t batches) const {
    return {.round = progress_.round,
            .rounds = limits_.rounds,
            .stage = name_of_stage(),
            .batch = progress_.batch,
            .batches = batches,
            .loss = 0};
  }

  [[nodiscard]] std::optional<double> run_batch(const BatchEnd& due) {
    const StageBatch at{.round = due.round, .batch = due.batch, .batches = due.batches};
    return at_stage([&](auto& stage) { return stage.run(at, subject_.rng); });
  }

  /// Updates the progress before it tells the observers: an observer may throw, and the run must
  /// then be able to resume from the state.
  template <class... Observers>
  Flow end_batch(BatchEnd event, double loss, Observers&... observers) {
    event.loss = loss;
    progress_.stage = event.stage;
    progress_.loss_sum += loss;
    if (++progress_.batch == event.batches) end_stage(event.batches);
    return notify(event, observers...);
  }

  void end_stage(std::size_t batches) {
    if (batches > 0) {
      progress_.current.stages.push_back(
          {.stage = progress_.stage, .mean = progress_.loss_sum / static_cast<double>(batches)});
    }
    progress_.batch = 0;
    progress_.loss_sum = 0;
    if (++stage_ == sizeof...(Stages)) {
      progress_.trace.push_back(std::exchange(progress_.current, {}));
      progress_.current.round = ++progress_.round;
      stage_ = 0;
    }
    progress_.stage = name_of_stage();
  }

  template <class... Observers>
  Flow tell_safe_point(bool last, Observers&... observers) {
    using State = std::remove_reference_t<decltype(subject_.state)>;
    using Rng = std::remove_reference_t<decltype(subject_.rng)>;
    using Model = std::remove_reference_t<decltype(subject_.model)>;
    const SafePoint<State, Rng, Model> safe{
        .state = subject_.state, .rng = subject_.rng, .model = subject_.model, .last = last};
    return notify(safe, observers...);
  }

  RunLimits limits_;
  Subject subject_;
  std::tuple<Stages&...> stages_;
  RunProgress& progress_;
  std::size_t stage_ = 0;  ///< index of the current stage
};

}  // namespace detail

/// Runs a list of stages, round by round, from `subject.state.progress` to the end of the run:
///
///     for each round, for each stage, for each of its batches: run it, tell the observers
///
/// MEM, EM, UAP and plain training are such lists: see MultiStepMinimizer and ContrastiveTraining.
///
/// @param limits    when the run ends by itself
/// @param subject   state, generator and model
/// @param stages    std::tie(...) of the stages, each a RunStage, in their order within a round
/// @param observers each an Observer of RunBegin, BatchEnd, RoundEnd, RunEnd or SafePoint
/// @returns why the run ended: `converged`, `round_limit`, `not_finite` or `stopped_by_observer`
/// @throws InvalidArgument when the progress is beyond the round limit, or does not fit the stages
///         and their numbers of batches. What a stage or an observer throws passes through; the
///         progress is then that of the last complete batch.
template <class State, class Rng, class Model, class... Stages, class... Observers>
  requires(RunStage<Stages, Rng> && ...)
StopReason run_stages(const RunLimits& limits, const RunSubject<State, Rng, Model>& subject,
                      const std::tuple<Stages&...>& stages, Observers&... observers) {
  static_assert(sizeof...(Stages) > 0, "a run has at least one stage");
  static_assert(
      (Observer<Observers, RunBegin, BatchEnd, RoundEnd, RunEnd, SafePoint<State, Rng, Model>> &&
       ...),
      "an observer matches no hook: it must take unlearn::RunBegin, BatchEnd, RoundEnd, "
      "RunEnd or SafePoint by const reference, and return void or unlearn::Flow");
  require(subject.state.progress.round <= limits.rounds, "round of the state to go on from",
          "at most the round limit of " + std::to_string(limits.rounds),
          subject.state.progress.round);
  return detail::Runner(limits, subject, stages).run(observers...);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
