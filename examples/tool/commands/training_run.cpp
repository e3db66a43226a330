// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/training_run.hpp"

#include <chrono>
#include <random>
#include <string>

#include "tool/commands/stop_signals.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/observers/progress_bar.hpp"

namespace unlearn::tool {
namespace {

/// An observer that passes on what a log is told, where there is a log.
struct OptionalLog {
  EpochLog* log;

  void operator()(const RunBegin& event) const {
    if (log != nullptr) (*log)(event);
  }
  void operator()(const RoundEnd& event) const {
    if (log != nullptr) (*log)(event);
  }
};

}  // namespace

void train_model(const TrainingRun& run) {
  TrainingState state;
  std::mt19937_64 rng(run.running.seed);
  auto checkpoint = checkpoint_to(
      run.checkpoint, {.every = std::chrono::duration<double>(run.running.checkpoint_seconds)});
  const bool continued = checkpoint.restore(state, rng, run.model);
  run.pairs.set_draw(state.progress.training.steps);
  if (!continued && run.before_first) run.before_first();
  const StopSignals signals;
  const ShowProgress when = run.running.quiet ? ShowProgress::never : ShowProgress::automatic;
  const RunResult result = clip::with_loss_of(run.loss, [&](const auto& loss) {
    return clip::training_of(run.plan, run.pairs.rows(), loss)
        .train(run.model, run.pairs, state, rng, OptionalLog{run.log}, progress_bar({.when = when}),
               checkpoint, signals);
  });
  if (result.stop == StopReason::stopped_by_observer) throw Interrupted();
  if (result.stop != StopReason::round_limit) {
    throw Error(expectation("training", "to run to its end; try a lower --learning-rate",
                            std::string(to_string(result.stop))));
  }
}

}  // namespace unlearn::tool
