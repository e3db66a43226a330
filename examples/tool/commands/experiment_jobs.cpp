// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/experiment_jobs.hpp"

#include "pairs/files/enum_names.hpp"
#include "tool/commands/protect.hpp"
#include "tool/commands/running_options.hpp"
#include "tool/commands/train.hpp"

namespace unlearn::tool {
namespace {

using experiments::HackerSpec;
using experiments::Preset;
using experiments::ProtectionSpec;
using experiments::Reproduction;

RunningOptions running(const Reproduction& run, std::uint64_t seed) {
  return {.seed = seed,
          .device = pairs::enum_named<Device>(run.preset.device).value(),
          .threads = run.threads,
          .resume = true,
          .quiet = run.quiet,
          .silent = true};
}

TrainOptions train_options(const Reproduction& run, const PairsOptions& pairs,
                           const HackerSpec& hacker) {
  TrainOptions options{.pairs = pairs, .test = pairs};
  if (!hacker.pairs_job.empty()) options.pairs = {.pairs = run.folder(hacker.pairs_job)};
  options.vocab = run.vocab;
  options.out = run.folder(hacker.job);
  options.model = hacker.architecture;
  options.size = run.preset.size;
  options.plan = {.epochs = run.preset.training.epochs,
                  .batch_size = run.preset.training.batch_size,
                  .learning_rate = run.preset.training.learning_rate};
  options.cleaning = hacker.cleaning;
  options.running = running(run, hacker.seed(run.seed));
  return options;
}

/// UAP's surrogate is what a hacker has learned from clean pairs.
void take_surrogate(ProtectOptions& options, const Reproduction& run, const std::string& job) {
  const std::string folder = run.folder(job);
  options.plan.weights = folder + "/model.safetensors";
  options.plan.model.clear();
  options.plan.size = 0;
  if (run.vocab == "words") options.vocab = folder + "/vocabulary.json";
}

ProtectOptions protect_options(const Reproduction& run, const PairsOptions& pairs,
                               const ProtectionSpec& protection) {
  const Preset& preset = run.preset;
  ProtectOptions options{.pairs = pairs, .split = "train", .out = run.folder(protection.job)};
  options.vocab = run.vocab;
  options.running = running(run, run.seed);
  ProtectionPlan& plan = options.plan;
  plan.model = preset.surrogate;
  plan.size = preset.size;
  plan.learning_rate = preset.surrogate_rate;
  plan.candidates = preset.candidates;
  switch (protection.row->method) {
    case experiments::Method::mem:
      plan.method = Method::mem;
      plan.trigger_length = protection.row->trigger_length;
      plan.rounds = preset.mem.rounds;
      plan.trigger_rounds = preset.trigger_rounds;
      plan.surrogate_steps = preset.mem.surrogate_steps;
      plan.surrogate_rounds = preset.surrogate_rounds;
      break;
    case experiments::Method::em:
      plan.method = Method::em;
      plan.rounds = preset.em.rounds;
      plan.surrogate_steps = preset.em.surrogate_steps;
      break;
    case experiments::Method::uap:
      plan.method = Method::uap;
      take_surrogate(options, run, protection.surrogate_job);
      break;
    case experiments::Method::untrained:
    case experiments::Method::clean: break;  // nothing is protected
  }
  return options;
}

experiments::Scores scores_of(const Retrieval& found) {
  const auto direction = [](const RetrievalScore& score) {
    return experiments::Direction{.hit10 = score.hit_at_k,
                                  .medr = static_cast<double>(score.median_rank)};
  };
  return {.i2t = direction(found.signal_to_text), .t2i = direction(found.text_to_signal)};
}

}  // namespace

experiments::Workers workers_of(const Reproduction& run, const PairsOptions& pairs) {
  return {.protect =
              [&run, pairs](const ProtectionSpec& protection) {
                protect(protect_options(run, pairs, protection));
              },
          .train = [&run,
                    pairs](const HackerSpec& hacker) { train(train_options(run, pairs, hacker)); },
          .evaluate_untrained =
              [&run, pairs](const HackerSpec& hacker) {
                return scores_of(evaluate_untrained(train_options(run, pairs, hacker)));
              }};
}

}  // namespace unlearn::tool
