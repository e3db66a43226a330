// SPDX-License-Identifier: Apache-2.0
#include <ATen/Context.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "clip/bpe_tokenizer.hpp"
#include "clip/caption_file.hpp"
#include "clip/config.hpp"
#include "clip/dual_encoder.hpp"
#include "clip/merge_list.hpp"
#include "clip/model.hpp"
#include "clip/picture_pairs.hpp"
#include "clip/training.hpp"
#include "clip/weights.hpp"
#include "commands.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/mem/checkpoint.hpp"
#include "unlearn/mem/progress_bar.hpp"

namespace unlearn::tool {
namespace {

struct TrainOptions {
  std::string images;
  std::string captions;
  std::string split = "train";
  std::string test_split = "test";
  std::string vocab;
  std::string model = "rn-small";
  std::string weights;
  std::string device = "cpu";
  std::string out;
  std::int64_t size = 0;
  unsigned threads = 0;
  std::uint64_t seed = 1;
  double checkpoint_seconds = 30;
  bool resume = false;
  bool quiet = false;
  clip::TrainingPlan plan;
};

/// The rows of one split, picture by picture.
clip::PicturePairs load_pairs(const TrainOptions& options,
                              std::span<const clip::CaptionRow> caption_rows,
                              const std::string& split, const clip::BpeTokenizer& tokenizer,
                              const clip::ClipConfig& config) {
  std::vector<std::string> pictures;
  std::map<std::string, Index> number_of;
  std::vector<std::vector<std::vector<Token>>> captions;
  for (const clip::CaptionRow& row : caption_rows) {
    if (row.split.empty()) {
      throw InvalidArgument(detail::expectation(
          "split of '" + row.image + "' in " + options.captions,
          "one of its own, or there is nothing to evaluate on: use CSV with the columns "
          "image,caption,split",
          "none"));
    }
    if (row.split != split) continue;
    const auto [at, is_new] = number_of.emplace(row.image, static_cast<Index>(pictures.size()));
    if (is_new) {
      pictures.push_back((std::filesystem::path(options.images) / row.image).string());
      captions.emplace_back();
    }
    captions[at->second].push_back(clip::caption_tokens(
        tokenizer, row.caption, static_cast<std::size_t>(config.context_length)));
  }
  for (std::size_t picture = 0; split == options.test_split && picture < captions.size();
       ++picture) {
    detail::require(
        captions[picture].size() == captions[0].size(),
        "captions of '" + pictures[picture] + "', evaluated by rank",
        "as many as the split's first picture has, " + std::to_string(captions[0].size()),
        captions[picture].size());
  }
  detail::require(!pictures.empty(), "captions of the split '" + split + "' in " + options.captions,
                  "at least 1", 0);
  std::vector<Index> signal_of_row;
  std::vector<std::vector<Token>> rows;
  for (std::size_t picture = 0; picture < captions.size(); ++picture) {
    for (std::vector<Token>& caption : captions[picture]) {
      signal_of_row.push_back(static_cast<Index>(picture));
      rows.push_back(std::move(caption));
    }
  }
  clip::PicturePairsOptions reading{.size = static_cast<std::size_t>(config.image_resolution)};
  reading.threads = options.threads;
  if (!options.quiet && unlearn::detail::is_terminal(stderr)) {
    reading.progress = [&](std::size_t done, std::size_t all) {
      std::fprintf(stderr, "\rreading %s pictures: %zu of %zu%s", split.c_str(), done, all,
                   done == all ? "\n" : "");
    };
  }
  return {std::move(pictures), std::move(signal_of_row), std::move(rows), std::move(reading)};
}

clip::Clip make_model(const TrainOptions& options) {
  if (!options.weights.empty()) return clip::load_clip(options.weights);
  clip::ClipConfig config = clip::named_config(options.model);
  if (options.size > 0) config = clip::at_resolution(config, options.size);
  return clip::Clip(config, options.seed);
}

void print(const char* trained, const Retrieval& found) {
  std::printf("%-10s  I->T Hit@10 %5.1f  MedR %5zu    T->I Hit@10 %5.1f  MedR %5zu\n", trained,
              found.signal_to_text.hit_at_k, found.signal_to_text.median_rank,
              found.text_to_signal.hit_at_k, found.text_to_signal.median_rank);
  std::fflush(stdout);
}

void train(const TrainOptions& options) {
  clip::use_threads(options.threads);
  detail::require(options.device == "cpu" || at::hasCUDA(), "device of a LibTorch without CUDA",
                  "cpu", options.device);
  const std::filesystem::path out(options.out);
  if (!options.resume && std::filesystem::exists(out / "checkpoint/state")) {
    throw FileError(detail::expectation("output folder '" + options.out + "'",
                                        "--resume to go on with its run, or another folder",
                                        "a checkpoint that would be overwritten"));
  }
  std::error_code failure;
  std::filesystem::create_directories(out, failure);
  if (failure) {
    throw FileError(detail::expectation("output folder '" + options.out + "'", "to make it",
                                        failure.message()));
  }
  const auto tokenizer = clip::BpeTokenizer::from_file(clip::merge_list_or_default(options.vocab));
  clip::Clip model = make_model(options);
  const clip::ClipConfig& config = model->config();
  detail::require_size("vocabulary of the model", tokenizer.vocabulary(),
                       static_cast<std::size_t>(config.vocab_size));
  const std::vector<clip::CaptionRow> rows = clip::read_captions(options.captions);
  clip::PicturePairs pairs = load_pairs(options, rows, options.split, tokenizer, config);
  clip::PicturePairs test = load_pairs(options, rows, options.test_split, tokenizer, config);

  clip::DualEncoderOptions encoding{.device = at::Device(options.device)};
  encoding.optimizer.learning_rate = options.plan.schedule(pairs.rows());
  clip::DualEncoder encoder(model, encoding);
  RunState<clip::NoNoise> state = clip::training_state(pairs);
  std::mt19937_64 rng(options.seed);
  auto checkpoint =
      checkpoint_to((out / "checkpoint").string(),
                    {.every = std::chrono::duration<double>(options.checkpoint_seconds)});
  const bool resumed = options.resume && checkpoint.restore(state, rng, encoder);
  if (!resumed && !options.quiet) {
    const clip::LearningRate& rate = encoding.optimizer.learning_rate;
    std::printf(
        "%zu pairs of %zu pictures, %zu steps an epoch; learning rate %g, %llu of %llu "
        "steps to warm up\n",
        pairs.rows(), pairs.signals(), options.plan.steps_per_epoch(pairs.rows()), rate.rate,
        static_cast<unsigned long long>(rate.warmup), static_cast<unsigned long long>(rate.steps));
    print("untrained", clip::evaluate(encoder, test));
  }
  const RunResult result =
      options.plan.minimizer(pairs.rows())
          .minimize(
              encoder, pairs, state, rng, clip::EpochLog((out / "log.csv").string(), encoder, test),
              progress_bar({.when = options.quiet ? ShowProgress::never : ShowProgress::automatic}),
              checkpoint);
  if (result.stop != StopReason::round_limit) {
    throw Error(detail::expectation("training", "to run to its end; try a lower --learning-rate",
                                    std::string(to_string(result.stop))));
  }
  clip::save_clip((out / "model.safetensors").string(), *model);
  print("trained", clip::evaluate(encoder, test));
}

}  // namespace

void add_train(CLI::App& app) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* const command = app.add_subcommand(
      "train", "Trains a CLIP model on pairs, from scratch or from weights, and evaluates it");
  command->add_option("--images", options->images, "Folder of the pictures")
      ->required()
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--captions", options->captions,
                   "Captions: CSV (image,caption[,split]), Flickr8k's token file, Karpathy's or "
                   "COCO's JSON")
      ->required();
  command->add_option("--out", options->out, "Folder for log.csv, model.safetensors, checkpoint/")
      ->required();
  command->add_option("--vocab", options->vocab,
                      "CLIP's merge list; without it, the one that an installed open_clip_torch "
                      "brings");
  command->add_option("--split", options->split, "Rows to train on")->capture_default_str();
  command->add_option("--test-split", options->test_split, "Rows to evaluate on")
      ->capture_default_str();
  std::vector<std::string> names(clip::config_names().begin(), clip::config_names().end());
  CLI::Option* const model = command->add_option("--model", options->model, "Which model")
                                 ->check(CLI::IsMember(std::move(names)))
                                 ->capture_default_str();
  CLI::Option* const size =
      command
          ->add_option("--size", options->size,
                       "Side of the pictures in pixels; without it, the model's own")
          ->check(CLI::PositiveNumber);
  command
      ->add_option("--weights", options->weights,
                   "Start from these weights (safetensors, or OpenAI's .pt) instead of --model")
      ->excludes(model)
      ->excludes(size);
  command->add_option("--epochs", options->plan.epochs, "Passes over the pairs")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--batch-size", options->plan.batch_size, "Pairs a step")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str();
  command
      ->add_option("--learning-rate", options->plan.learning_rate,
                   "The highest of a cosine schedule; a twentieth of the steps warms up")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the weights and of the order of the pairs")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0 for one a core")->capture_default_str();
  command->add_option("--device", options->device, "cpu, or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command
      ->add_option("--checkpoint-every", options->checkpoint_seconds,
                   "Seconds between two checkpoints; 0 for one after each step")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--resume", options->resume,
                    "Go on from --out's checkpoint, if there is one; give the same options");
  command->add_flag("--quiet", options->quiet, "Print the result alone: no progress, no summary");
  command->footer(
      "log.csv has a line an epoch: the mean loss, the learning rate, and the retrieval of the "
      "test\n"
      "split. A run that was interrupted ends, with --resume, in the same bytes.");
  command->callback([options] { train(*options); });
}

}  // namespace unlearn::tool
