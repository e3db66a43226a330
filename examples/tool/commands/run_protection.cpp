// SPDX-License-Identifier: Apache-2.0
//
// The run of `unlearn protect`.
#include <torch/version.h>
#include <Eigen/Core>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/model.hpp"
#include "clip/model/weights.hpp"
#include "clip/training/timed_model.hpp"
#include "pairs/files/json_record.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/text/word_starts.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/output_folder.hpp"
#include "tool/commands/protect.hpp"
#include "tool/commands/protection_run.hpp"
#include "tool/commands/sources.hpp"
#include "tool/commands/stop_signals.hpp"
#include "tool/commands/stopwatch.hpp"
#include "tool/commands/surrogate_reset.hpp"
#include "tool/commands/training_run.hpp"
#include "tool/publication/caption_placement.hpp"
#include "tool/publication/initial_triggers.hpp"
#include "tool/publication/manifest.hpp"
#include "tool/publication/published_files.hpp"
#include "tool/publication/trace_file.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/version.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/with_loss.hpp"
#include "unlearn/mem/with_placement.hpp"
#include "unlearn/observers/progress_bar.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;

GroupMap group_map(Sharing sharing, const pairs::CaptionSet& set) {
  switch (sharing) {
    case Sharing::row: return GroupMap::per_row(set.rows());
    case Sharing::all: return GroupMap::universal(set.rows());
    case Sharing::image: break;
  }
  return GroupMap::by_label(set.image_of_row);
}

MultiStepMinimizer<> minimizer_of(const ProtectionPlan& plan, unsigned threads) {
  MultiStepMinimizer<> run = plan.method == Method::em    ? em()
                             : plan.method == Method::uap ? uap()
                                                          : mem();
  run.descent.step = plan.noise_step / 255.0;
  run.descent.steps = plan.noise_steps;
  run.ball.radius = plan.epsilon / 255.0;
  run.search.candidates = plan.candidates;
  run.beam.width = plan.beam;
  run.beam.acceptance =
      plan.acceptance == AcceptedBy::batch ? Acceptance::whole_batch : Acceptance::per_sample;
  run.batch_size = plan.batch_size;
  run.stop_loss = plan.stop_loss;
  run.rounds = plan.rounds;
  run.trigger_rounds = plan.trigger_rounds;
  run.surrogate_steps = plan.surrogate_steps;
  run.execution = Parallel{threads};
  return run;
}

/// Whether a run on `device` keeps its images and noise there.
bool signals_on([[maybe_unused]] Device device) {
#ifdef UNLEARN_CLIP_CUDA
  return device == Device::cuda;
#else
  return false;  // each batch moves there
#endif
}

/// Gives `encoder` the weights of `model`, and an optimiser that has made no step.
void reinitialize(clip::ClipEncoder& encoder, const clip::Clip& model) {
  clip::ClipEncoder other(model, encoder.options());
  std::stringstream state;
  other.save(state);
  encoder.load(state);
}

/// The most memory that the process has had so far; nothing where the system does not tell.
std::optional<double> peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view field = "VmHWM:";
    if (line.starts_with(field)) return std::stod(line.substr(field.size())) / 1024;
  }
  return std::nullopt;
}

std::map<std::string, std::string> versions() {
  return {
      {"unlearn", unlearn::version},
      {"libtorch", TORCH_VERSION},
      {"eigen", std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) +
                    "." + std::to_string(EIGEN_MINOR_VERSION)}};
}

std::vector<std::string> words_of(const pairs::WordTokenizer& tokenizer) {
  std::vector<std::string> words;
  for (Token v = 0; v < tokenizer.unknown(); ++v) {
    std::string word = tokenizer.decode(std::span(&v, 1));
    word.pop_back();  // the space behind it
    words.push_back(std::move(word));
  }
  return words;
}

/// A run of `unlearn protect`, from what it is told to what it publishes.
class Protection {
 public:
  explicit Protection(const ProtectOptions& options)
      : options_(options),
        plan_(complete(options)),
        sources_(read_sources({.pairs = options.pairs,
                               .split = options.split,
                               .skip_bad = options.skip_bad,
                               .quiet = options.running.quiet})),
        tokenizer_(make_tokenizer(options.vocab, sources_.set.captions)),
        model_(surrogate(0)),
        config_(model_->config()),
        published_(promise()),
        out_(options.out, "manifest.json", settings_of(published_), options.running.resume) {}

  void run() {
    if (out_.complete()) {
      report(read_manifest(out_.file("manifest.json")), /*already=*/true);
      return;
    }
    pairs::ImagePairs pairs = read_pairs();
    if (plan_.method == Method::uap && plan_.weights.empty()) train_surrogate(pairs);
    std::mt19937_64 rng(options_.running.seed);
    const TokenFilter filter = publishable_tokens(tokenizer_, plan_.readable);
    ProtectionState state = initial_state(pairs, filter, rng);
    const RunResult result = minimize_over(pairs, filter, state, rng);
    publish_all(pairs, state, result);
    const Manifest manifest = manifest_of(result);
    out_.finish(json_of(manifest));
    report(manifest, /*already=*/false);
  }

 private:
  /// The plan with what depends on the machine, too.
  static ProtectionPlan complete(const ProtectOptions& options) {
    const Device device = options.running.device;
    set_up_torch(device, options.running.threads);
    ProtectionPlan plan = resolved(options.plan);
    if (plan.model.empty() && plan.weights.empty()) {
      plan.model = device == Device::cuda ? "RN50" : "rn-small";
    }
    const clip::Precision precision = precision_of(plan.precision, device);
    plan.precision =
        precision == clip::Precision::bfloat16 ? Arithmetic::bfloat16 : Arithmetic::single;
    return plan;
  }

  /// One surrogate after another: all the same, but for their initial weights.
  [[nodiscard]] clip::Clip surrogate(std::uint32_t number) const {
    return make_model({.name = plan_.model,
                       .weights = plan_.weights,
                       .size = plan_.size,
                       .vocabulary = tokenizer_.vocabulary(),
                       .loss = plan_.loss,
                       .seed = options_.running.seed + number});
  }

  /// The manifest but for the images. Its settings are all that decides on the bytes of the run.
  [[nodiscard]] PublishedManifest promise() const {
    PublishedManifest published{.epsilon_levels = plan_.epsilon,
                                .size = static_cast<std::size_t>(config_.image_resolution),
                                .trigger_length = plan_.trigger_length,
                                .context_length = static_cast<std::size_t>(config_.context_length),
                                .placement = plan_.placement,
                                .seed = options_.running.seed,
                                .split = sources_.split,
                                .vocabulary = tokenizer_.vocabulary(),
                                .other_settings = settings_of(plan_)};
    if (const auto* const words = tokenizer_.words()) published.words = words_of(*words);
    published.other_settings.update(
        {{"weights_sha256", plan_.weights.empty() ? "" : pairs::sha256_of_file(plan_.weights)},
         {"device", pairs::name_of(options_.running.device)},
         {"inputs_sha256", sources_.digest()}});
    if (!sources_.skipped.empty()) {
      published.rows.emplace();
      for (const std::size_t row : sources_.rows) published.rows->push_back({row});
    }
    return published;
  }

  [[nodiscard]] pairs::ImagePairs read_pairs() {
    const Stopwatch reading;
    CountLine line("reading images", options_.running.quiet);
    // The placement cuts captions where there is no room for their triggers.
    require(published_.trigger_length + 2 <= published_.context_length,
            "trigger length, with start and end token",
            "at most the context of " + std::to_string(published_.context_length),
            published_.trigger_length + 2);
    pairs::ImagePairs pairs(
        options_.pairs.image_paths(sources_.set), sources_.set.image_of_row,
        pairs::tokens_of(sources_.set, tokenizer_, published_.context_length),
        {.size = published_.size,
         .memory_bytes = options_.memory_megabytes << 20U,
         .threads = options_.running.threads,
         .progress = [&](std::size_t done, std::size_t all) { line(done, all); }});
    seconds_.reading = reading.seconds();
    return pairs;
  }

  /// UAP's surrogate learns the clean pairs first. Its weights are kept, so that a run that is
  /// continued need not learn them again.
  void train_surrogate(pairs::ImagePairs& pairs) {
    const Stopwatch training;
    const std::string learned = out_.run_file("surrogate.safetensors");
    if (!fs::exists(learned)) {
      const clip::TrainingPlan plan{.epochs = plan_.surrogate_epochs,
                                    .batch_size = plan_.batch_size,
                                    .learning_rate = plan_.learning_rate};
      clip::ClipEncoderOptions encoding{.device = torch_device(options_.running.device)};
      encoding.optimizer.learning_rate = clip::schedule_of(plan, pairs.rows());
      clip::ClipEncoder encoder(model_, encoding);
      train_model({.model = encoder,
                   .pairs = pairs,
                   .plan = plan,
                   .loss = plan_.loss,
                   .checkpoint = out_.run_file("surrogate"),
                   .running = options_.running});
      clip::save_clip(learned, *model_);
    }
    model_ = clip::load_clip(learned);
    seconds_.surrogate_training = training.seconds();
  }

  /// Noise of zeros in noise.npy, or what the run that is continued has there.
  [[nodiscard]] ProtectionState initial_state(const pairs::ImagePairs& pairs,
                                              const TokenFilter& filter,
                                              std::mt19937_64& rng) const {
    Scope scope{.noise = group_map(plan_.scope, sources_.set),
                .triggers = group_map(plan_.trigger_scope, sources_.set)};
    const std::string path = out_.file("noise.npy");
    return {.noise = fs::exists(path)
                         ? MappedNoiseStore<>::open(path)
                         : MappedNoiseStore<>::create(path, scope.noise.groups(), pairs.elements()),
            .triggers = initial_triggers(plan_, tokenizer_, filter, scope.triggers.groups(), rng),
            .scope = scope};
  }

  [[nodiscard]] pairs::WordStarts words_for_placement() const {
    if (plan_.placement == PlacementKind::front) return {};
    return {tokenizer_, sources_.set.captions};
  }

  [[nodiscard]] CaptionPlacement placement_with(const pairs::WordStarts& words) const {
    return {.kind = plan_.placement,
            .seed = options_.running.seed,
            .context = published_.context_length,
            .words = &words};
  }

  [[nodiscard]] CheckpointOptions checkpoint_options() const {
    CheckpointOptions checkpoints{
        .every = std::chrono::duration<double>(options_.running.checkpoint_seconds)};
    // Two batches of the noise of large images are more than the usual limit: what lies on a GPU
    // waits there.
    constexpr std::size_t on_gpu = std::size_t{1} << 30U;
    if (signals_on(options_.running.device)) checkpoints.pending_limit_bytes = on_gpu;
    return checkpoints;
  }

  RunResult minimize_over(pairs::ImagePairs& pairs, const TokenFilter& filter,
                          ProtectionState& state, std::mt19937_64& rng) {
    const Device device = options_.running.device;
    clip::ClipEncoderOptions encoding{.device = torch_device(device),
                                      .signals_on_device = signals_on(device),
                                      .precision = precision_of(plan_.precision, device)};
    encoding.optimizer.learning_rate = {.rate = plan_.learning_rate};
    clip::ClipEncoder encoder(model_, encoding);
    clip::TimedModel timed(encoder);
    const pairs::WordStarts words = words_for_placement();
    auto minimizer =
        with_placement(minimizer_of(plan_, options_.running.threads), placement_with(words));
    minimizer.filter = filter;
    // The words of a few captions may be fewer than the candidates that are asked for.
    minimizer.search.candidates = std::min(plan_.candidates, filter.vocabulary());
    auto checkpoint = checkpoint_to(out_.run_file("checkpoint"), checkpoint_options());
    checkpoint.restore(state, rng, timed);
    const SurrogateReset reset(plan_.surrogate_rounds, [&](std::uint32_t number) {
      reinitialize(encoder, surrogate(number));
    });
    auto bar = progress_bar(
        {.when = options_.running.quiet ? ShowProgress::never : ShowProgress::automatic});
    const StopSignals signals;
    const Stopwatch minimizing;
    const ProtectionRun run{.model = timed,
                            .pairs = pairs,
                            .state = state,
                            .rng = rng,
                            .reset = reset,
                            .bar = bar,
                            .checkpoint = checkpoint,
                            .signals = signals,
                            .signals_on_gpu = signals_on(device)};
    const RunResult result = clip::with_loss_of(
        plan_.loss, [&](const auto& loss) { return minimize(with_loss(minimizer, loss), run); });
    seconds_.minimizing = minimizing.seconds();
    seconds_.in_model = timed.seconds();
    if (result.stop == StopReason::stopped_by_observer) throw Interrupted();
    if (result.stop == StopReason::not_finite) {
      throw Error(expectation("protection", "finite losses; try a lower --learning-rate",
                              "one that is NaN or infinite"));
    }
    return result;
  }

  void publish_all(pairs::ImagePairs& pairs, ProtectionState& state, const RunResult& result) {
    const Stopwatch publishing;
    const pairs::WordStarts words = words_for_placement();
    CountLine line("publishing images", options_.running.quiet);
    published_.images =
        publish({.set = sources_.set,
                 .sha256 = sources_.sha256,
                 .tokenizer = tokenizer_,
                 .state = state,
                 .placement = placement_with(words),
                 .folder = options_.out,
                 .policy = Parallel{options_.running.threads},
                 .progress = [&](std::size_t done, std::size_t all) { line(done, all); }},
                pairs);
    write_triggers(out_.file("triggers.npy"), state.triggers);
    write_trace_file(out_.file("trace.csv"), result.trace);
    state.noise.flush();
    seconds_.publishing = publishing.seconds();
  }

  [[nodiscard]] Manifest manifest_of(const RunResult& result) {
    Manifest manifest{
        .published = published_,
        .version = unlearn::version,
        .versions = versions(),
        .captions = {.file = fs::path(options_.pairs.captions_file()).filename().string(),
                     .sha256 = sources_.captions_sha256},
        .skipped = sources_.skipped,
        .result = {.stop = std::string(to_string(result.stop)),
                   .rounds = result.rounds,
                   .train_steps = result.train_steps,
                   .rows = sources_.set.rows()},
        .peak_megabytes = peak_megabytes()};
    manifest.result.loss = result.loss;
    for (const char* const name : {"captions.csv", "noise.npy", "triggers.npy", "trace.csv"}) {
      manifest.outputs[name] = pairs::sha256_of_file(out_.file(name));
    }
    seconds_.total = total_.seconds();
    manifest.seconds = seconds_;
    return manifest;
  }

  void report(const Manifest& manifest, bool already) const {
    const RunningOptions& running = options_.running;
    const ProtectionResult& result = manifest.result;
    if (running.silent) return;
    if (running.json) {
      const nlohmann::json all = json_of(manifest);
      std::cout << nlohmann::json{{"out", options_.out},
                                  {"result", all.at("result")},
                                  {"seconds", all.at("seconds")}}
                       .dump(2)
                << '\n';
    } else if (!running.quiet) {
      std::printf(
          "%s: %zu rows, %zu images; %s after %u rounds, loss %s%s\n"
          "To publish: images/ and captions.csv. Keep noise.npy, triggers.npy and "
          "manifest.json to yourself.\n",
          options_.out.c_str(), result.rows, manifest.published.images.size(), result.stop.c_str(),
          result.rounds, result.loss ? nlohmann::json(*result.loss).dump().c_str() : "none",
          already ? " (was complete)" : "");
    }
  }

  const ProtectOptions& options_;
  Stopwatch total_;
  ProtectionPlan plan_;  ///< with all that `options_` leaves open
  Sources sources_;
  pairs::AnyTokenizer tokenizer_;
  clip::Clip model_;
  clip::ClipConfig config_;
  PublishedManifest published_;  ///< without images until they are published
  OutputFolder out_;
  ProtectionSeconds seconds_{};
};

}  // namespace

void protect(const ProtectOptions& options) { Protection(options).run(); }

}  // namespace unlearn::tool
