// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/protect.hpp"

#include <ATen/Context.h>
#include <torch/version.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/model/weights.hpp"
#include "clip/training/timed_model.hpp"
#include "clip/training/training.hpp"
#include "pairs/captions/caption_set.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/output_folder.hpp"
#include "tool/commands/protection_run.hpp"
#include "tool/commands/running_options.hpp"
#include "tool/commands/stop_signals.hpp"
#include "tool/commands/stopwatch.hpp"
#include "tool/commands/surrogate_reset.hpp"
#include "tool/publication/published_pairs.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/checkpoint/detail/contents.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/version.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/observers/progress_bar.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using State = RunState<MappedNoiseStore<>>;

/// The pairs to protect, checked: every image is there and can be read.
struct Sources {
  pairs::CaptionSet set{};
  std::string split{};
  std::vector<std::string> sha256{};  ///< of each image's file
  std::string captions_sha256{};
  std::vector<std::size_t> rows{};     ///< of each row that is left, its number in the split
  std::vector<std::string> skipped{};  ///< with --skip-bad: file and problem
};

/// `train` where the captions tell splits, else all rows.
std::string resolve_split(const ProtectOptions& options, std::span<const pairs::CaptionRow> rows) {
  if (!options.split.empty()) return options.split;
  const bool told = std::ranges::any_of(rows, [](const auto& row) { return !row.split.empty(); });
  return told ? "train" : "";
}

bool has_image_ending(const fs::path& path) {
  static const std::set<std::string> endings{".jpg", ".jpeg", ".png", ".webp"};
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return endings.contains(ending);
}

/// Images in the folder that no caption names.
std::vector<std::string> images_without_captions(const std::string& folder,
                                                 std::span<const pairs::CaptionRow> rows) {
  std::set<std::string> named;
  for (const pairs::CaptionRow& row : rows) named.insert(fs::path(row.image).lexically_normal());
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || !has_image_ending(entry.path())) continue;
    std::string name = entry.path().lexically_relative(folder).string();
    if (!named.contains(name)) found.push_back(std::move(name));
  }
  std::ranges::sort(found);
  return found;
}

/// @throws FileError that names the first of `problems`, unless bad ones are to be skipped
void report_bad(const ProtectOptions& options, const std::vector<std::string>& problems,
                Sources& sources) {
  if (problems.empty()) return;
  if (!options.skip_bad) {
    std::string message = problems.front();
    if (problems.size() > 1) {
      message.append(" (and ").append(std::to_string(problems.size() - 1)).append(" more)");
    }
    throw FileError(message + "; --skip-bad leaves such images out");
  }
  for (const std::string& problem : problems) {
    std::fprintf(stderr, "skipped: %s\n", problem.c_str());
    sources.skipped.push_back(problem);
  }
}

Sources read_sources(const ProtectOptions& options) {
  const std::string captions = options.pairs.captions_file();
  const std::vector<pairs::CaptionRow> rows = pairs::read_captions(captions);
  Sources sources{.split = resolve_split(options, rows)};
  sources.set = pairs::select_split(rows, sources.split, captions);
  sources.captions_sha256 = pairs::sha256_of_file(captions);

  std::vector<std::string> problems;
  const std::string folder = options.pairs.images_folder();
  for (const std::string& name : images_without_captions(folder, rows)) {
    problems.push_back(expectation("image '" + name + "' in '" + folder + "'",
                                   "a caption in '" + captions + "'", "none"));
  }
  report_bad(options, problems, sources);

  const std::vector<std::string> paths = options.pairs.image_paths(sources.set);
  problems.clear();
  std::vector<std::string> bad;
  for (const pairs::BadImage& image : pairs::unreadable_images(paths)) {
    problems.push_back(image.problem);
    bad.push_back(sources.set.images[image.index]);
  }
  report_bad(options, problems, sources);
  const std::set<std::string> dropped(bad.begin(), bad.end());
  for (std::size_t row = 0; row < sources.set.rows(); ++row) {
    if (!dropped.contains(sources.set.images[sources.set.image_of_row[row]])) {
      sources.rows.push_back(row);
    }
  }
  if (!bad.empty()) sources.set = pairs::without(sources.set, bad);
  require(sources.set.rows() > 1, "rows to protect", "at least 2", sources.set.rows());

  CountLine progress("hashing images", options.running.quiet);
  for (std::size_t i = 0; i < sources.set.images.size(); ++i) {
    sources.sha256.push_back(
        pairs::sha256_of_file(options.pairs.image_path(sources.set.images[i])));
    progress(i + 1, sources.set.images.size());
  }
  return sources;
}

/// One text for all of a run's input.
std::string digest(const Sources& sources) {
  std::string all = sources.captions_sha256;
  for (const std::string& hash : sources.sha256) all += hash;
  return pairs::sha256_of(std::as_bytes(std::span(all)));
}

GroupMap group_map(const std::string& scope, const pairs::CaptionSet& set) {
  if (scope == "row") return GroupMap::per_row(set.rows());
  if (scope == "all") return GroupMap::universal(set.rows());
  return GroupMap::by_label(set.image_of_row);
}

/// The paper's settings of the method, with what the user wants otherwise.
MultiStepMinimizer<> configure(const ProtectOptions& options) {
  MultiStepMinimizer<> run = options.method == "em"    ? em()
                             : options.method == "uap" ? uap()
                                                       : mem();
  run.descent.step = options.noise_step / 255.0;
  run.descent.steps = options.noise_steps;
  run.ball.radius = options.epsilon / 255.0;
  run.search.candidates = options.candidates;
  run.beam.width = options.beam;
  run.beam.acceptance =
      options.acceptance == "batch" ? Acceptance::whole_batch : Acceptance::per_sample;
  run.batch_size = options.batch_size;
  run.stop_loss = options.stop_loss;
  if (options.rounds > 0) run.rounds = options.rounds;
  if (options.method == "mem") run.trigger_rounds = options.trigger_rounds;
  if (options.method != "uap" && options.surrogate_steps > 0) {
    run.surrogate_steps = options.surrogate_steps;
  }
  run.execution = Parallel{options.running.threads};
  return run;
}

std::size_t trigger_length(const ProtectOptions& options) {
  return options.method == "mem" ? options.trigger_length : 0;
}

/// Everything that decides on the bytes that a run ends in.
Json settings_of(const ProtectOptions& options, const MultiStepMinimizer<>& run,
                 const Sources& sources, const pairs::AnyTokenizer& tokenizer,
                 const clip::ClipConfig& config, clip::Precision precision) {
  Json tokens{{"kind", tokenizer.words() != nullptr ? "words" : "bpe"},
              {"vocabulary", tokenizer.vocabulary()}};
  if (const pairs::WordTokenizer* words = tokenizer.words()) {
    std::vector<std::string> list;
    for (Token v = 0; v < words->unknown(); ++v) {
      std::string word = words->decode(std::span(&v, 1));
      word.pop_back();  // the space behind it
      list.push_back(std::move(word));
    }
    tokens["words"] = list;
  }
  return {{"method", options.method},
          {"trigger_length", trigger_length(options)},
          {"initial_trigger", options.initial_trigger},
          {"readable", options.readable},
          {"epsilon_levels", options.epsilon},
          {"noise_step_levels", options.noise_step},
          {"noise_steps", options.noise_steps},
          {"rounds", run.rounds},
          {"trigger_rounds", run.trigger_rounds},
          {"surrogate_steps", run.surrogate_steps},
          {"surrogate_rounds", options.surrogate_rounds},
          {"stop_loss", options.stop_loss},
          {"candidates", options.candidates},
          {"beam", options.beam},
          {"acceptance", options.acceptance},
          {"scope", options.scope},
          {"trigger_scope", options.trigger_scope},
          {"batch_size", options.batch_size},
          {"model", options.weights.empty() ? options.model : options.weights},
          {"weights_sha256", options.weights.empty() ? "" : pairs::sha256_of_file(options.weights)},
          {"size", config.image_resolution},
          {"context_length", config.context_length},
          {"learning_rate", options.learning_rate},
          {"surrogate_epochs", options.method == "uap" ? options.surrogate_epochs : 0},
          {"precision", precision == clip::Precision::bfloat16 ? "bfloat16" : "single"},
          {"device", options.running.device},
          {"seed", options.running.seed},
          {"split", sources.split},
          {"tokenizer", tokens},
          {"inputs_sha256", digest(sources)}};
}

/// Runs an observer-stopped minimisation to its end.
/// @throws Interrupted when a signal ended it, Error when its loss was not finite
template <class Run>
RunResult to_the_end(const Run& run, const std::string& what) {
  const StopSignals signals;
  const RunResult result = run(signals);
  if (result.stop == StopReason::stopped_by_observer) throw Interrupted();
  if (result.stop == StopReason::not_finite) {
    throw Error(expectation(what, "finite losses; try a lower --learning-rate",
                            "one that is NaN or infinite"));
  }
  return result;
}

RunResult minimize(const MultiStepMinimizer<>& mem, const ProtectionRun& run,
                   [[maybe_unused]] bool signals_on_gpu) {
#ifdef UNLEARN_CLIP_CUDA
  if (signals_on_gpu) return minimize_on_gpu(mem, run);
#endif
  return mem.minimize(run.model, run.pairs, run.state, run.rng, run.reset, run.bar, run.checkpoint,
                      run.signals);
}

/// Gives `encoder` the weights of `model`, and an optimiser that has made no step.
void reinitialize(clip::ClipEncoder& encoder, const clip::Clip& model) {
  clip::ClipEncoder other(model, encoder.options());
  std::stringstream state;
  other.save(state);
  encoder.load(state);
}

/// Whether a run on `device` keeps its images and noise there.
bool signals_on([[maybe_unused]] const std::string& device) {
#ifdef UNLEARN_CLIP_CUDA
  return device == "cuda";
#else
  return false;  // each batch moves there
#endif
}

CheckpointOptions every(const ProtectOptions& options) {
  CheckpointOptions checkpoints{
      .every = std::chrono::duration<double>(options.running.checkpoint_seconds)};
  // Two batches of the noise of large images are more than the usual limit: what lies on a GPU
  // waits there.
  constexpr std::size_t on_gpu = std::size_t{1} << 30U;
  if (signals_on(options.running.device)) checkpoints.pending_limit_bytes = on_gpu;
  return checkpoints;
}

ProgressBarOptions bar(const ProtectOptions& options) {
  return {.when = options.running.quiet ? ShowProgress::never : ShowProgress::automatic};
}

/// UAP's surrogate learns the clean pairs first. What it has learned is kept: an interrupted run
/// need not learn it again.
void train_surrogate(const ProtectOptions& options, const OutputFolder& out, clip::Clip& model,
                     pairs::ImagePairs& pairs) {
  const std::string learned = out.run_file("surrogate.safetensors");
  if (!fs::exists(learned)) {
    const clip::TrainingPlan plan{.epochs = options.surrogate_epochs,
                                  .batch_size = options.batch_size,
                                  .learning_rate = options.learning_rate};
    clip::ClipEncoderOptions encoding{.device = at::Device(options.running.device)};
    encoding.optimizer.learning_rate = plan.schedule(pairs.rows());
    clip::ClipEncoder encoder(model, encoding);
    RunState<clip::ZeroNoiseStore> state = clip::training_state(pairs);
    std::mt19937_64 rng(options.running.seed);
    auto checkpoint = checkpoint_to(out.run_file("surrogate"), every(options));
    checkpoint.restore(state, rng, encoder);
    to_the_end(
        [&](const StopSignals& signals) {
          return plan.minimizer(pairs.rows())
              .minimize(encoder, pairs, state, rng, progress_bar(bar(options)), checkpoint,
                        signals);
        },
        "training of UAP's surrogate");
    clip::save_clip(learned, *model);
  }
  model = clip::load_clip(learned);
}

TokenFilter publishable(const pairs::AnyTokenizer& tokenizer, bool readable) {
  TokenFilter filter(tokenizer.vocabulary());
  filter.deny(pairs::unpublishable(tokenizer));
  for (std::size_t v = 0; readable && v < tokenizer.vocabulary(); ++v) {
    const auto token = static_cast<Token>(v);
    if (!tokenizer.is_whole_word(token)) filter.deny(token);
  }
  require(filter.count() > 0, "tokens that a trigger may have", "at least 1", 0);
  return filter;
}

TriggerTable initial_triggers(const ProtectOptions& options, const pairs::AnyTokenizer& tokenizer,
                              const TokenFilter& filter, std::size_t groups, std::mt19937_64& rng) {
  const std::size_t length = trigger_length(options);
  if (length == 0) return {groups, std::span<const Token>()};
  if (options.initial_trigger == "random") {
    return TriggerTable::random(groups, length, filter, rng);
  }
  const std::vector<Token> tokens = tokenizer.encode(options.initial_trigger);
  require(tokens.size() == 1 && filter.allows(tokens[0]),
          "initial trigger '" + options.initial_trigger + "'",
          "`random`, or a word that is one publishable token",
          std::to_string(tokens.size()) + " tokens");
  return {groups, std::vector<Token>(length, tokens[0])};
}

/// Noise, in the folder's noise.npy: a new file of zeros, or the one of the run to go on with.
MappedNoiseStore<> noise_in(const OutputFolder& out, std::size_t groups, std::size_t elements) {
  const std::string path = out.file("noise.npy");
  return fs::exists(path) ? MappedNoiseStore<>::open(path)
                          : MappedNoiseStore<>::create(path, groups, elements);
}

void write_triggers(const std::string& path, const TriggerTable& triggers) {
  AtomicFile file(path);
  put_npy(triggers.view(), [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

/// round,surrogate,trigger,noise; an empty field for what a round did not do.
void write_trace(const std::string& path, std::span<const RoundLosses> trace) {
  std::string text = "round,surrogate,trigger,noise\n";
  for (const RoundLosses& losses : trace) {
    text.append(std::to_string(losses.round + 1));
    for (const double loss : {losses.surrogate, losses.trigger, losses.noise}) {
      char number[32] = "";
      if (loss == loss) std::snprintf(number, sizeof number, "%.9g", loss);
      text.append(",").append(number);
    }
    text.append("\n");
  }
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

/// Writes images and captions. @returns the manifest's list of images
Json publish(const ProtectOptions& options, const OutputFolder& out, const Sources& sources,
             const pairs::AnyTokenizer& tokenizer, pairs::ImagePairs& pairs, const State& state) {
  const pairs::CaptionSet& set = sources.set;
  std::vector<Index> noise_of_row(set.rows());
  for (std::size_t row = 0; row < set.rows(); ++row) noise_of_row[row] = state.scope.noise.of(row);
  const PublicationPlan plan = plan_publication(set, noise_of_row);

  std::set<fs::path> folders;
  for (const PublishedImage& image : plan.images) {
    folders.insert(fs::path(out.file("images")) / fs::path(image.file).parent_path());
  }
  for (const fs::path& folder : folders) fs::create_directories(folder);

  std::vector<std::string> hashes(plan.images.size());
  CountLine progress("publishing images", options.running.quiet);
  const Parallel policy{options.running.threads};
  const std::size_t stretch = std::size_t{32} * policy.thread_count();
  for (std::size_t first = 0; first < plan.images.size(); first += stretch) {
    const std::size_t count = std::min(stretch, plan.images.size() - first);
    std::vector<Index> signals(count);
    std::vector<Index> groups(count);
    for (std::size_t i = 0; i < count; ++i) {
      signals[i] = plan.images[first + i].signal;
      groups[i] = plan.images[first + i].noise;
    }
    std::vector<std::uint8_t> pixels(count * pairs.elements());
    std::vector<std::int8_t> noise(pixels.size());
    const std::array<std::size_t, 2> extents{count, pairs.elements()};
    pairs.load_signals(signals, View<std::uint8_t, 2>(pixels, extents));
    state.noise.load(groups, View<std::int8_t, 2>(noise, extents));
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>(std::clamp(pixels[i] + noise[i], 0, 255));
    }
    for_each_piece(policy, count, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto rgb = std::span(pixels).subspan(i * pairs.elements(), pairs.elements());
        const std::string path = out.file("images/" + plan.images[first + i].file);
        pairs::write_png(path, {.height = pairs.size(),
                                .width = pairs.size(),
                                .rgb = std::vector<std::uint8_t>(rgb.begin(), rgb.end())});
        hashes[first + i] = pairs::sha256_of_file(path);
      }
    });
    progress(first + count, plan.images.size());
  }

  std::vector<pairs::CaptionRow> rows;
  for (std::size_t row = 0; row < set.rows(); ++row) {
    const auto trigger = std::as_const(state.triggers)[state.scope.triggers.of(row)];
    rows.push_back({.image = plan.images[plan.image_of_row[row]].file,
                    .caption = pairs::with_trigger(tokenizer, trigger, set.captions[row]),
                    .split = set.splits[row]});
  }
  pairs::write_captions_csv(out.file("captions.csv"), rows);

  Json images = Json::array();
  for (std::size_t i = 0; i < plan.images.size(); ++i) {
    const PublishedImage& image = plan.images[i];
    images.push_back({{"file", "images/" + image.file},
                      {"sha256", hashes[i]},
                      {"source", set.images[image.signal]},
                      {"source_sha256", sources.sha256[image.signal]}});
  }
  return images;
}

/// The most memory that the process has had so far; null where the system does not say.
Json peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view field = "VmHWM:";
    if (line.starts_with(field)) return std::stod(line.substr(field.size())) / 1024;
  }
  return nullptr;
}

Json versions() {
  return {
      {"unlearn", unlearn::version},
      {"libtorch", TORCH_VERSION},
      {"eigen", std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) +
                    "." + std::to_string(EIGEN_MINOR_VERSION)}};
}

void report(const ProtectOptions& options, const Json& manifest, bool already) {
  if (options.running.silent) return;
  const Json& result = manifest.at("result");
  if (options.running.json) {
    std::cout << Json{{"out", options.out}, {"result", result}, {"seconds", manifest.at("seconds")}}
                     .dump(2)
              << '\n';
  } else if (!options.running.quiet) {
    const Json& loss = result.at("loss");
    const std::string loss_text = loss.is_number() ? loss.dump() : "none";
    std::printf(
        "%s: %zu rows, %zu images; %s after %u rounds, loss %s%s\n"
        "To publish: images/ and captions.csv. Keep noise.npy, triggers.npy and "
        "manifest.json to yourself.\n",
        options.out.c_str(), result.at("rows").get<std::size_t>(), manifest.at("images").size(),
        result.at("stop").get<std::string>().c_str(), result.at("rounds").get<unsigned>(),
        loss_text.c_str(), already ? " (was complete)" : "");
  }
}

}  // namespace

void protect(const ProtectOptions& given) {
  const Stopwatch total;
  ProtectOptions options = given;
  if (options.model.empty()) options.model = options.running.device == "cuda" ? "RN50" : "rn-small";
  clip::use_threads(options.running.threads);
  require_device(options.running.device);

  const Sources sources = read_sources(options);
  const pairs::AnyTokenizer tokenizer = make_tokenizer(options.vocab, sources.set.captions);
  const auto surrogate = [&](std::uint32_t number) {
    return make_model({.name = options.model,
                       .weights = options.weights,
                       .size = options.size,
                       .vocabulary = tokenizer.vocabulary(),
                       .seed = options.running.seed + number});
  };
  clip::Clip model = surrogate(0);
  const clip::ClipConfig config = model->config();
  const clip::Precision precision = parse_precision(options.precision, options.running.device);
  MultiStepMinimizer<> run = configure(options);
  const Json settings = settings_of(options, run, sources, tokenizer, config, precision);
  const OutputFolder out(options.out, "manifest.json", settings, options.running.resume);
  if (out.complete()) return report(options, read_json(out.file("manifest.json")), true);

  const Stopwatch reading;
  CountLine read_progress("reading images", options.running.quiet);
  pairs::ImagePairsOptions keeping{.size = static_cast<std::size_t>(config.image_resolution),
                                   .memory_bytes = options.memory_megabytes << 20U,
                                   .threads = options.running.threads};
  keeping.progress = [&](std::size_t done, std::size_t all) { read_progress(done, all); };
  pairs::ImagePairs pairs(
      options.pairs.image_paths(sources.set), sources.set.image_of_row,
      pairs::tokens_of(sources.set, tokenizer,
                       static_cast<std::size_t>(config.context_length) - trigger_length(options)),
      keeping);
  Json seconds{{"reading", reading.seconds()}};

  if (options.method == "uap" && options.weights.empty()) {
    const Stopwatch training;
    train_surrogate(options, out, model, pairs);
    seconds["surrogate_training"] = training.seconds();
  }

  clip::ClipEncoderOptions encoding{.device = at::Device(options.running.device),
                                    .signals_on_device = signals_on(options.running.device),
                                    .precision = precision};
  encoding.optimizer.learning_rate = {.rate = options.learning_rate};
  clip::ClipEncoder encoder(model, encoding);
  clip::TimedModel timed(encoder);
  const TokenFilter filter = publishable(tokenizer, options.readable);
  run.filter = filter;
  std::mt19937_64 rng(options.running.seed);
  Scope scope{.noise = group_map(options.scope, sources.set),
              .triggers = group_map(options.trigger_scope, sources.set)};
  State state{
      .noise = noise_in(out, scope.noise.groups(), pairs.elements()),
      .triggers = initial_triggers(options, tokenizer, filter, scope.triggers.groups(), rng),
      .scope = scope};
  auto checkpoint = checkpoint_to(out.run_file("checkpoint"), every(options));
  checkpoint.restore(state, rng, timed);
  const SurrogateReset reset(options.surrogate_rounds, [&](std::uint32_t number) {
    reinitialize(encoder, surrogate(number));
  });
  auto shown = progress_bar(bar(options));
  const Stopwatch minimizing;
  const RunResult result = to_the_end(
      [&](const StopSignals& signals) {
        return minimize(run,
                        {.model = timed,
                         .pairs = pairs,
                         .state = state,
                         .rng = rng,
                         .reset = reset,
                         .bar = shown,
                         .checkpoint = checkpoint,
                         .signals = signals},
                        encoder.options().signals_on_device);
      },
      "protection");
  seconds["minimizing"] = minimizing.seconds();

  const Stopwatch publishing;
  Json manifest{{"program", "unlearn"}, {"version", unlearn::version}, {"settings", settings}};
  manifest["images"] = publish(options, out, sources, tokenizer, pairs, state);
  write_triggers(out.file("triggers.npy"), state.triggers);
  write_trace(out.file("trace.csv"), result.trace);
  state.noise.flush();
  seconds["publishing"] = publishing.seconds();
  seconds["in_model"] = timed.seconds();
  seconds["total"] = total.seconds();
  manifest["versions"] = versions();
  manifest["inputs"] = {{"captions",
                         {{"file", fs::path(options.pairs.captions_file()).filename().string()},
                          {"sha256", sources.captions_sha256}}}};
  Json outputs = Json::object();
  for (const char* const name : {"captions.csv", "noise.npy", "triggers.npy", "trace.csv"}) {
    outputs[name] = pairs::sha256_of_file(out.file(name));
  }
  manifest["outputs"] = outputs;
  manifest["skipped"] = sources.skipped;
  if (!sources.skipped.empty()) {
    for (const std::size_t row : sources.rows) manifest["rows"].push_back({{"row", row}});
  }
  manifest["result"] = {{"stop", to_string(result.stop)},
                        {"rounds", result.rounds},
                        {"loss", result.loss},  // null where no stage ran
                        {"train_steps", result.train_steps},
                        {"rows", sources.set.rows()}};
  manifest["seconds"] = seconds;
  manifest["peak_megabytes"] = peak_megabytes();
  out.finish(manifest);
  report(options, manifest, false);
}

void add_protect(CLI::App& app) {
  const auto options = std::make_shared<ProtectOptions>();
  CLI::App* const command = app.add_subcommand(
      "protect", "Makes pairs unlearnable: noise in each image, trigger words before each caption");
  add_pairs_options(*command, options->pairs);
  command->add_option("--out", options->out, "New folder for the protected pairs")->required();
  add_vocab_option(*command, options->vocab);
  command->add_option("--split", options->split,
                      "Rows to protect; without it, `train` where the captions tell splits, else "
                      "all");

  const std::string method = "Method";
  command->add_option("--method", options->method, "mem; em: noise alone; uap: adversarial noise")
      ->check(CLI::IsMember({"mem", "em", "uap"}))
      ->capture_default_str()
      ->group(method);
  command->add_option("--trigger-length", options->trigger_length, "Words before each caption")
      ->check(CLI::Range(1, 32))
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--initial-trigger", options->initial_trigger,
                   "`random`, or a word that every trigger starts as")
      ->capture_default_str()
      ->group(method);
  command->add_flag("--readable", options->readable, "Triggers of whole words only")->group(method);
  command->add_option("--epsilon", options->epsilon, "Bound on the noise, in levels of 255")
      ->check(CLI::Range(1, 127))
      ->capture_default_str()
      ->group(method);
  command->add_option("--noise-step", options->noise_step, "A step of the noise, in levels")
      ->check(CLI::Range(1, 127))
      ->capture_default_str()
      ->group(method);
  command->add_option("--noise-steps", options->noise_steps, "Steps of each noise a round")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str()
      ->group(method);
  command->add_option("--rounds", options->rounds, "At most; 0 for the paper's: 20 (em 5, uap 1)")
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--trigger-rounds", options->trigger_rounds,
                   "Triggers are searched in so many first rounds")
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--surrogate-steps", options->surrogate_steps,
                   "Of the surrogate, a round; 0 for the paper's: 200 (em 50)")
      ->capture_default_str()
      ->group(method);
  command->add_option("--stop-loss", options->stop_loss, "Stop when a round ends below this loss")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(method);
  command->add_option("--candidates", options->candidates, "Tokens tried at each position")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->group(method);
  command->add_option("--beam", options->beam, "Triggers kept from position to position")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--acceptance", options->acceptance,
                   "Who takes a candidate: each sample its own, or the whole batch at once")
      ->check(CLI::IsMember({"sample", "batch"}))
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--scope", options->scope,
                   "Who shares a noise: the captions of an image, each row alone, or all")
      ->check(CLI::IsMember({"image", "row", "all"}))
      ->capture_default_str()
      ->group(method);
  command
      ->add_option("--trigger-scope", options->trigger_scope,
                   "Who shares a trigger: each row alone, the captions of an image, or all")
      ->check(CLI::IsMember({"row", "image", "all"}))
      ->capture_default_str()
      ->group(method);
  command->add_option("--batch-size", options->batch_size, "Pairs at once")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str()
      ->group(method);

  const std::string surrogate = "Surrogate";
  std::vector<std::string> names(clip::config_names().begin(), clip::config_names().end());
  CLI::Option* const model =
      command
          ->add_option("--model", options->model,
                       "Its architecture; without it, rn-small on the CPU and RN50 on a GPU")
          ->check(CLI::IsMember(std::move(names)))
          ->group(surrogate);
  CLI::Option* const size =
      command
          ->add_option("--size", options->size,
                       "Side of the published images in pixels; without it, the model's own")
          ->check(CLI::PositiveNumber)
          ->group(surrogate);
  CLI::Option* const weights =
      command
          ->add_option("--weights", options->weights,
                       "Start from these weights (safetensors, or OpenAI's .pt), not from scratch")
          ->excludes(model)
          ->excludes(size)
          ->group(surrogate);
  command->add_option("--learning-rate", options->learning_rate, "Constant")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(surrogate);
  command
      ->add_option("--surrogate-rounds", options->surrogate_rounds,
                   "Rounds that a surrogate lasts before one with other initial weights begins; 0: "
                   "all of them, as in the paper")
      ->capture_default_str()
      ->excludes(weights)
      ->group(surrogate);
  command
      ->add_option("--surrogate-epochs", options->surrogate_epochs,
                   "uap without --weights: epochs on the clean pairs, before the noise")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group(surrogate);
  command
      ->add_option("--precision", options->precision,
                   "Of encoding and gradients: single; bfloat16; auto takes bfloat16 where the "
                   "processor multiplies it")
      ->check(CLI::IsMember({"auto", "single", "bfloat16"}))
      ->capture_default_str()
      ->group(surrogate);

  add_running_options(*command, options->running, "Of everything that is drawn");
  command
      ->add_option("--memory", options->memory_megabytes,
                   "MiB for images; the others wait in a temporary file")
      ->capture_default_str()
      ->group("Running");
  command
      ->add_flag("--skip-bad", options->skip_bad,
                 "Name images that cannot be read, or have no caption, and go on without them")
      ->group("Running");
  command->footer(
      "Publish --out's images/ (PNG: another format would damage the noise) and captions.csv.\n"
      "manifest.json, noise.npy, triggers.npy and trace.csv are for you: they tell how to undo "
      "it.\n"
      "A run that was interrupted ends, with --resume, in the same bytes.\n\n"
      "  $ unlearn protect --pairs flickr8k --vocab bpe_simple_vocab_16e6.txt.gz --out protected\n"
      "  $ unlearn verify --clean flickr8k --protected protected");
  command->callback([options] { protect(*options); });
}

}  // namespace unlearn::tool
