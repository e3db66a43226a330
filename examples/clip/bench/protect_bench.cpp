// SPDX-License-Identifier: Apache-2.0
// Compares the whole of `unlearn protect` to the reference procedure, and measures its memory and
// the share of time outside the model. The pairs are drawn scenes; the model is `rn-small` at 64
// pixels.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/encoder/freed_memory.hpp"
#include "clip/kernels/instruction_sets.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/training/training.hpp"
#include "pairs/captions/caption_set.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/scenes/drawn_scenes.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "plain_clip.hpp"
#include "summary.hpp"
#include "unlearn/unlearn.hpp"

namespace {

namespace fs = std::filesystem;
namespace clip = unlearn::clip;
using unlearn::as_tensor, unlearn::Index, unlearn::Token, unlearn::View;
using unlearn_bench::plain_loss;
using Clock = std::chrono::steady_clock;

constexpr std::size_t batch = 128;
constexpr std::int64_t stride = batch;  // as LibTorch counts
// A small Flickr8k with the paper's proportions: five captions per image, and 200 surrogate steps
// per round for 238 batches of rows.
constexpr std::size_t image_count = 128;
constexpr std::size_t captions_per_image = 5;
constexpr std::size_t rows = image_count * captions_per_image;
constexpr std::size_t surrogate_steps = rows / batch * 200 / 238;
// That would be only four steps for a new model. So the model of both procedures has taken this
// many steps before, on the clean pairs; they are not timed.
constexpr std::size_t warm_steps = 40;
constexpr std::size_t trigger_length = 3;
constexpr std::int64_t candidates = 16;
constexpr std::uint32_t reference_rounds = 2;
constexpr int noise_steps = 8;
constexpr double surrogate_rate = 1e-3;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A temporary folder, which is removed at the end.
class ScratchFolder {
 public:
  ScratchFolder()
      : path_(fs::temp_directory_path() / ("unlearn-bench-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

/// Draws a folder of pairs with so many training images and captions per image.
std::string draw(const ScratchFolder& scratch, std::size_t count, std::size_t captions = 1) {
  std::string folder = scratch.file("pairs-" + std::to_string(count));
  unlearn::pairs::DrawnScenes(
      {.train = count, .test = 10, .captions_per_image = captions, .size = 64})
      .write(folder);
  return folder;
}

/// What both procedures protect, and the model that both start with.
struct Task {
  unlearn::pairs::CaptionSet set;
  unlearn::pairs::WordTokenizer tokenizer;
  unlearn::pairs::ImagePairs pairs;
  clip::ClipConfig config;

  static Task load(const std::string& folder) {
    unlearn::pairs::CaptionSet set = unlearn::pairs::select_split(
        unlearn::pairs::read_captions(folder + "/captions.csv"), "train", "captions.csv");
    auto tokenizer = unlearn::pairs::WordTokenizer::learn(set.captions, 20'000);
    std::vector<std::string> paths;
    for (const std::string& image : set.images) paths.push_back(folder + "/images/" + image);
    clip::ClipConfig config = clip::named_config("rn-small");
    config.vocab_size = static_cast<std::int64_t>(tokenizer.vocabulary());
    unlearn::pairs::ImagePairs pairs(paths, set.image_of_row,
                                     unlearn::pairs::tokens_of(set, tokenizer, 77 - trigger_length),
                                     {.size = static_cast<std::size_t>(config.image_resolution)});
    return {std::move(set), std::move(tokenizer), std::move(pairs), config};
  }

  [[nodiscard]] std::vector<Token> initial_trigger() const {
    return std::vector<Token>(trigger_length, Token{0});
  }
};

/// The reference procedure, one LibTorch operation per statement. It has float noise in normalised
/// space, texts of length 77, a pass of both towers over the whole batch for every candidate, and
/// no early stop.
class Reference {
 public:
  /// @param model changed by the run
  Reference(const Task& task, clip::Clip model, std::uint64_t seed)
      : model_(std::move(model)),
        adamw_(model_->parameters(), torch::optim::AdamWOptions(surrogate_rate).weight_decay(0.2)),
        rng_(seed) {
    for (at::Tensor& parameter : model_->parameters()) parameter.set_requires_grad(true);
    const auto s = static_cast<std::int64_t>(task.config.image_resolution);
    const auto channels = [](const auto& values) {
      return at::tensor(at::ArrayRef<float>(values)).view({1, 3, 1, 1});
    };
    mean_ = channels(clip::clip_pixels.mean);
    deviation_ = channels(clip::clip_pixels.deviation);
    std::vector<std::uint8_t> pixels(rows * task.pairs.elements());
    // Each row has its own image and noise.
    std::vector<Index> all;
    for (std::size_t r = 0; r < rows; ++r) {
      all.push_back(task.pairs.signal_of(static_cast<Index>(r)));
    }
    task.pairs.load_signals(all, View<std::uint8_t, 2>(pixels, {rows, task.pairs.elements()}));
    const at::Tensor bytes =
        at::from_blob(pixels.data(), {static_cast<std::int64_t>(rows), s, s, 3}, at::kByte);
    images_ = ((bytes.to(at::kFloat) / 255).permute({0, 3, 1, 2}) - mean_) / deviation_;
    images_ = images_.contiguous();
    noise_ = at::zeros_like(images_);
    texts_ = at::zeros({static_cast<std::int64_t>(rows), 77}, at::kLong);
    for (std::size_t r = 0; r < rows; ++r) {
      const auto caption = task.pairs.caption(static_cast<Index>(r));
      const at::Tensor row = texts_[static_cast<std::int64_t>(r)];
      row[0] = static_cast<std::int64_t>(caption[0]);
      for (std::size_t i = 1; i < caption.size(); ++i) {
        row[static_cast<std::int64_t>(i + trigger_length)] = static_cast<std::int64_t>(caption[i]);
      }
    }
    search_ = {.trigger_length = trigger_length,
               .candidates = candidates,
               .first_special = task.config.vocab_size - 3};
  }

  void round() {
    for (std::size_t step = 0; step < surrogate_steps; ++step) fit(next_batch());
    model_->eval();
    for (std::int64_t first = 0; first < static_cast<std::int64_t>(rows); first += stride) {
      search(first);
    }
    for (std::int64_t first = 0; first < static_cast<std::int64_t>(rows); first += stride) {
      descend(first);
    }
  }

  /// Mean over batches, in evaluation mode.
  double protection_loss() {
    const torch::NoGradGuard no_gradient;
    model_->eval();
    double sum = 0;
    for (std::int64_t first = 0; first < static_cast<std::int64_t>(rows); first += stride) {
      sum += plain_loss(model_, model_->encode_images(perturbed(first)),
                        model_->encode_texts(texts_.narrow(0, first, stride)))
                 .item<double>();
    }
    return sum / (static_cast<double>(rows) / batch);
  }

 private:
  [[nodiscard]] at::Tensor perturbed(std::int64_t first) const {
    return images_.narrow(0, first, stride) + noise_.narrow(0, first, stride);
  }

  at::Tensor next_batch() {
    std::vector<std::int64_t> order(rows);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), rng_);
    return at::tensor(at::ArrayRef<std::int64_t>(order.data(), batch));
  }

  void fit(const at::Tensor& index) {
    model_->train();
    adamw_.zero_grad();
    const at::Tensor images = images_.index_select(0, index) + noise_.index_select(0, index);
    plain_loss(model_, model_->encode_images(images),
               model_->encode_texts(texts_.index_select(0, index)))
        .backward();
    adamw_.step();
    const torch::NoGradGuard no_gradient;
    model_->logit_scale.clamp_(0, std::log(100.0));
  }

  void search(std::int64_t first) {
    const at::Tensor texts = texts_.narrow(0, first, stride);
    texts.copy_(search_(model_, perturbed(first), texts.clone()).texts);
  }

  void descend(std::int64_t first) {
    const at::Tensor clean = images_.narrow(0, first, stride);
    const at::Tensor texts = texts_.narrow(0, first, stride);
    at::Tensor noise = noise_.narrow(0, first, stride).clone();
    for (int step = 0; step < noise_steps; ++step) {
      // Each image keeps its trigger, and gets the caption of another image.
      std::vector<std::int64_t> order(batch);
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), rng_);
      at::Tensor shuffled = texts.index_select(0, at::tensor(order));
      shuffled.narrow(1, 1, trigger_length).copy_(texts.narrow(1, 1, trigger_length));
      const at::Tensor delta = noise.detach().requires_grad_();
      const at::Tensor loss =
          plain_loss(model_, model_->encode_images(clean + delta), model_->encode_texts(shuffled));
      const at::Tensor gradient = torch::autograd::grad({loss}, {delta})[0];
      const torch::NoGradGuard no_gradient;
      const at::Tensor direction = gradient.sign();
      noise = noise - direction / 255 / deviation_;
      const at::Tensor bound = 8.0 / 255 / deviation_;
      noise = at::minimum(at::maximum(noise, -bound), bound);
    }
    noise_.narrow(0, first, stride).copy_(noise);
  }

  clip::Clip model_;
  torch::optim::AdamW adamw_;
  std::mt19937_64 rng_;
  at::Tensor mean_;
  at::Tensor deviation_;
  at::Tensor images_;
  at::Tensor noise_;
  at::Tensor texts_;
  unlearn_bench::PlainSearch search_;
};

/// The model that both procedures start with. Each gets a copy.
clip::Clip warm_model(Task& task) {
  clip::Clip model(task.config, 1);
  clip::ClipEncoder encoder(model, {.optimizer = {.learning_rate = {.rate = surrogate_rate}}});
  unlearn::TrainingState state;
  std::mt19937_64 rng(1);
  (void)unlearn::ContrastiveTraining<>{.steps = warm_steps}.train(encoder, task.pairs, state, rng);
  return model;
}

/// Our loss on all pairs, computed like the reference's: batches of 128 in order, evaluation mode.
/// @param encoder in single precision, like the reference's
double protection_loss(clip::ClipEncoder& encoder, const Task& task,
                       const unlearn::RunState<unlearn::MemoryNoiseStore<std::int8_t>>& state) {
  double sum = 0;
  for (std::size_t first = 0; first < rows; first += batch) {
    std::vector<Index> signals;
    unlearn::TokenSequences<unlearn::FrontPlacement> texts({}, trigger_length);
    for (std::size_t r = first; r < first + batch; ++r) {
      const auto row = static_cast<Index>(r);
      signals.push_back(task.pairs.signal_of(row));
      texts.add(row, task.pairs.caption(row), state.triggers[row]);
    }
    std::vector<std::uint8_t> pixels(batch * task.pairs.elements());
    std::vector<std::int8_t> noise(pixels.size());
    const std::array<std::size_t, 2> extents{batch, task.pairs.elements()};
    task.pairs.load_signals(signals, View<std::uint8_t, 2>(pixels, extents));
    state.noise.load(signals, View<std::int8_t, 2>(noise, extents));
    const auto images = encoder.encode_signals(
        unlearn::PixelBatch{.clean = View<const std::uint8_t, 2>(pixels, extents),
                            .noise = View<const std::int8_t, 2>(noise, extents)});
    sum +=
        unlearn::info_nce(images, encoder.encode_texts(texts.batch()), encoder.logit_scale()).value;
  }
  return sum / (static_cast<double>(rows) / batch);
}

void against_reference(benchmark::State& bench) {
  const ScratchFolder scratch;
  Task task = Task::load(draw(scratch, image_count, captions_per_image));
  for (auto iteration : bench) {
    Reference reference(task, warm_model(task), 1);
    const auto begin = Clock::now();
    for (std::uint32_t round = 0; round < reference_rounds; ++round) reference.round();
    const double theirs = seconds_since(begin);
    const double goal = reference.protection_loss();

    auto mem = unlearn::mem();
    unlearn::TokenFilter words(task.tokenizer.vocabulary());
    words.deny(unlearn::pairs::unpublishable(task.tokenizer));
    mem.filter = words;
    mem.surrogate_steps = surrogate_steps;
    const clip::Clip model = warm_model(task);
    clip::ClipEncoder judge(model);
    clip::ClipEncoder encoder(model,
                              {.precision = clip::multiplies_bfloat16() ? clip::Precision::bfloat16
                                                                        : clip::Precision::single,
                               .optimizer = {.learning_rate = {.rate = surrogate_rate}}});
    auto state = unlearn::fresh_state(task.pairs, task.initial_trigger());
    std::mt19937_64 rng(1);
    double ours = 0;
    double loss = 0;
    auto resumed = Clock::now();
    const auto watch = [&](const unlearn::RoundEnd&) {
      ours += seconds_since(resumed);
      loss = protection_loss(judge, task, state);  // not timed
      std::printf("loss %.3f after %.1f s; the reference's %.3f after %.1f s\n", loss, ours, goal,
                  theirs);
      resumed = Clock::now();
      return loss <= goal ? unlearn::Flow::stop : unlearn::Flow::proceed;
    };
    (void)mem.minimize(encoder, task.pairs, state, rng, watch);
    unlearn_bench::require_correct(loss <= goal, "protection loss as low as the reference's");
    bench.SetIterationTime(ours);
    unlearn_bench::report("protect.speedup_vs_reference", theirs / ours);
    unlearn_bench::report("protect.loss_over_reference", loss / goal);
  }
}

/// Runs the tool.
/// @returns the manifest that it writes to `out`
nlohmann::json run(const std::vector<std::string>& arguments, const std::string& out) {
  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  unlearn_bench::require_correct(
      posix_spawn(&child, words[0], nullptr, nullptr, words.data(), environ) == 0 &&
          waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
      "run of the tool");
  std::ifstream in(out + "/manifest.json");
  return nlohmann::json::parse(in);
}

/// The path of `unlearn`, relative to this program's folder.
std::vector<std::string> protect(const std::string& pairs, const std::string& out) {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  return {(here.parent_path() / "examples/tool/unlearn").string(),
          "protect",
          "--pairs",
          pairs,
          "--out",
          out,
          "--vocab",
          "words",
          "--quiet"};
}

void memory(benchmark::State& bench) {
  const ScratchFolder scratch;
  for (auto iteration : bench) {
    const auto peak = [&](std::size_t images) {
      const std::string out = scratch.file("out-" + std::to_string(images));
      std::vector<std::string> command = protect(draw(scratch, images), out);
      for (const char* const word : {"--rounds", "1", "--surrogate-steps", "2", "--noise-steps",
                                     "1", "--trigger-length", "1", "--candidates", "1"}) {
        command.emplace_back(word);
      }
      return run(command, out).at("peak_megabytes").get<double>();
    };
    const double few = peak(1000);
    const double many = peak(8000);
    bench.SetIterationTime(1);
    unlearn_bench::report("protect.peak_megabytes_growth", many - few);
    unlearn_bench::report("protect.peak_megabytes", many);
  }
}

void stages(benchmark::State& bench) {
  const ScratchFolder scratch;
  for (auto iteration : bench) {
    const std::string out = scratch.file("out");
    std::vector<std::string> command = protect(draw(scratch, 1000), out);
    for (const char* const word : {"--rounds", "2", "--surrogate-steps", "50"}) {
      command.emplace_back(word);
    }
    const auto seconds = run(command, out).at("seconds");
    const double total = seconds.at("total");
    bench.SetIterationTime(total);
    unlearn_bench::report("protect.stage_overhead",
                          (total - seconds.at("in_model").get<double>()) / total);
  }
}

BENCHMARK(against_reference)->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);
BENCHMARK(memory)->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);
BENCHMARK(stages)->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);

}  // namespace

int main(int argc, char** argv) {
  clip::use_threads();
  clip::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
