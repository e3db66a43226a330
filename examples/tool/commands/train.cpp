// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/train.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/model/weights.hpp"
#include "pairs/cleaning/cleaning.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/output_folder.hpp"
#include "tool/commands/stop_signals.hpp"
#include "tool/commands/stopwatch.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/version.hpp"
#include "unlearn/observers/progress_bar.hpp"

namespace unlearn::tool {
namespace {

using Json = nlohmann::json;

pairs::ImagePairs read_pairs(const PairsOptions& options, const pairs::CaptionSet& set,
                             std::vector<std::vector<Token>> tokens,
                             pairs::ImagePairsOptions reading, bool quiet) {
  CountLine progress("reading images", quiet);
  reading.progress = [&](std::size_t done, std::size_t all) { progress(done, all); };
  return {options.image_paths(set), set.image_of_row, std::move(tokens), std::move(reading)};
}

/// Everything that decides on the bytes that a training ends in.
Json settings_of(const TrainOptions& options, const pairs::CaptionSet& set,
                 const pairs::AnyTokenizer& tokenizer, const clip::ClipConfig& config) {
  return {{"model", options.weights.empty() ? options.model : options.weights},
          {"weights_sha256", options.weights.empty() ? "" : pairs::sha256_of_file(options.weights)},
          {"size", config.image_resolution},
          {"vocabulary", tokenizer.vocabulary()},
          {"captions_sha256", pairs::sha256_of_file(options.pairs.captions_file())},
          {"split", options.split},
          {"rows", set.rows()},
          {"cleaning", pairs::names_of(cleaning_of(options.cleaning))},
          {"epochs", options.plan.epochs},
          {"batch_size", options.plan.batch_size},
          {"learning_rate", options.plan.learning_rate},
          {"device", options.running.device},
          {"seed", options.running.seed}};
}

void report(const TrainOptions& options, const Json& result) {
  if (options.running.silent) return;
  if (options.running.json) {
    std::cout << Json{{"i2t", result.at("i2t")}, {"t2i", result.at("t2i")}}.dump() << '\n';
    return;
  }
  const auto score = [&](const char* direction) {
    const Json& found = result.at(direction);
    return RetrievalScore{.hit_at_k = found.at("hit10"), .median_rank = found.at("medr")};
  };
  std::cout << to_line("trained", {.signal_to_text = score("i2t"), .text_to_signal = score("t2i")})
            << std::endl;
}

}  // namespace

Json to_json(const Retrieval& found) {
  const auto score = [](const RetrievalScore& s) {
    return Json{{"hit10", s.hit_at_k}, {"medr", s.median_rank}};
  };
  return {{"i2t", score(found.signal_to_text)}, {"t2i", score(found.text_to_signal)}};
}

std::string to_line(const std::string& name, const Retrieval& found) {
  char text[160];
  std::snprintf(text, sizeof text,
                "%-10s  I->T Hit@10 %5.1f  MedR %5zu    T->I Hit@10 %5.1f  MedR %5zu", name.c_str(),
                found.signal_to_text.hit_at_k, found.signal_to_text.median_rank,
                found.text_to_signal.hit_at_k, found.text_to_signal.median_rank);
  return text;
}

pairs::ImagePairs evaluation_pairs(const PairsOptions& pairs, const std::string& split,
                                   const pairs::AnyTokenizer& tokenizer,
                                   const clip::ClipConfig& config, unsigned threads) {
  const pairs::CaptionSet set = pairs::image_by_image(pairs.read(split));
  return {pairs.image_paths(set),
          set.image_of_row,
          pairs::tokens_of(set, tokenizer, static_cast<std::size_t>(config.context_length)),
          {.size = static_cast<std::size_t>(config.image_resolution), .threads = threads}};
}

Retrieval evaluate_untrained(const TrainOptions& options) {
  clip::use_threads(options.running.threads);
  require_device(options.running.device);
  const PairsOptions& test_pairs = options.test.empty() ? options.pairs : options.test;
  const pairs::AnyTokenizer tokenizer =
      make_tokenizer(options.vocab, options.pairs.read(options.split).captions);
  clip::Clip model = make_model({.name = options.model,
                                 .weights = options.weights,
                                 .size = options.size,
                                 .vocabulary = tokenizer.vocabulary(),
                                 .seed = options.running.seed});
  pairs::ImagePairs test = evaluation_pairs(test_pairs, options.test_split, tokenizer,
                                            model->config(), options.running.threads);
  clip::ClipEncoder encoder(model, {.device = at::Device(options.running.device)});
  return clip::evaluate(encoder, test);
}

void train(const TrainOptions& options) {
  const Stopwatch total;
  clip::use_threads(options.running.threads);
  require_device(options.running.device);
  const PairsOptions& test_pairs = options.test.empty() ? options.pairs : options.test;

  pairs::CaptionSet set = options.pairs.read(options.split);
  const pairs::Cleaning cleaning = cleaning_of(options.cleaning);
  for (std::string& caption : set.captions) {
    caption = pairs::clean_caption(cleaning, std::move(caption));
  }
  const pairs::AnyTokenizer tokenizer = make_tokenizer(options.vocab, set.captions);
  clip::Clip model = make_model({.name = options.model,
                                 .weights = options.weights,
                                 .size = options.size,
                                 .vocabulary = tokenizer.vocabulary(),
                                 .seed = options.running.seed});
  const clip::ClipConfig& config = model->config();
  const OutputFolder out(options.out, "result.json", settings_of(options, set, tokenizer, config),
                         options.running.resume);
  if (out.complete()) return report(options, read_json(out.file("result.json")));
  if (const auto* const words = tokenizer.words()) words->save(out.file("vocabulary.json"));

  pairs::ImagePairsOptions reading{.size = static_cast<std::size_t>(config.image_resolution),
                                   .threads = options.running.threads};
  pairs::clean_images(cleaning, reading);
  reading.augment_seed = options.running.seed;
  pairs::ImagePairs pairs =
      read_pairs(options.pairs, set,
                 pairs::tokens_of(set, tokenizer, static_cast<std::size_t>(config.context_length)),
                 reading, options.running.quiet);
  pairs::ImagePairs test =
      evaluation_pairs(test_pairs, options.test_split, tokenizer, config, options.running.threads);

  clip::ClipEncoderOptions encoding{.device = at::Device(options.running.device)};
  encoding.optimizer.learning_rate = options.plan.schedule(pairs.rows());
  clip::ClipEncoder encoder(model, encoding);
  RunState<clip::ZeroNoiseStore> state = clip::training_state(pairs);
  std::mt19937_64 rng(options.running.seed);
  auto checkpoint =
      checkpoint_to(out.run_file("checkpoint"),
                    {.every = std::chrono::duration<double>(options.running.checkpoint_seconds)});
  const bool resumed = checkpoint.restore(state, rng, encoder);
  pairs.set_draw(state.progress.train_steps);
  if (!resumed && !options.running.quiet && !options.running.json && !options.running.silent) {
    const clip::LearningRate& rate = encoding.optimizer.learning_rate;
    std::printf(
        "%zu pairs of %zu images, %zu steps an epoch; learning rate %g, %llu of %llu "
        "steps to warm up\n%s\n",
        pairs.rows(), pairs.signals(), options.plan.steps_per_epoch(pairs.rows()), rate.rate,
        static_cast<unsigned long long>(rate.warmup), static_cast<unsigned long long>(rate.steps),
        to_line("untrained", clip::evaluate(encoder, test)).c_str());
    std::fflush(stdout);
  }

  clip::EpochLog log(out.file("log.csv"), encoder, test);
  const StopSignals signals;
  const RunResult result =
      options.plan.minimizer(pairs.rows())
          .minimize(encoder, pairs, state, rng, log,
                    progress_bar({.when = options.running.quiet ? ShowProgress::never
                                                                : ShowProgress::automatic}),
                    checkpoint, signals);
  if (result.stop == StopReason::stopped_by_observer) throw Interrupted();
  if (result.stop != StopReason::round_limit) {
    throw Error(expectation("training", "to run to its end; try a lower --learning-rate",
                            std::string(to_string(result.stop))));
  }
  clip::save_clip(out.file("model.safetensors"), *model);

  const Retrieval found = log.last() ? *log.last() : clip::evaluate(encoder, test);
  Json done = to_json(found);
  done["settings"] = settings_of(options, set, tokenizer, config);
  done["version"] = unlearn::version;
  done["seconds"] = total.seconds();
  out.finish(done);
  report(options, done);
}

void add_train(CLI::App& app) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* const command = app.add_subcommand(
      "train", "Trains a CLIP model on pairs, from scratch or from weights, and evaluates it");
  add_pairs_options(*command, options->pairs);
  command
      ->add_option("--test-pairs", options->test.pairs,
                   "Evaluate on this pairs folder; without it, on the one trained on")
      ->check(CLI::ExistingDirectory);
  command->add_option("--test-images", options->test.images, "Its images, if they are elsewhere")
      ->check(CLI::ExistingDirectory);
  command->add_option("--test-captions", options->test.captions,
                      "Its captions, if they are elsewhere");
  command
      ->add_option("--out", options->out,
                   "New folder for log.csv, model.safetensors, result.json, vocabulary.json")
      ->required();
  add_vocab_option(*command, options->vocab);
  command->add_option("--split", options->split, "Rows to train on; \"\" for all")
      ->capture_default_str();
  command->add_option("--test-split", options->test_split, "Rows to evaluate on; \"\" for all")
      ->capture_default_str();

  const std::string learning = "Model and training";
  std::vector<std::string> names(clip::config_names().begin(), clip::config_names().end());
  CLI::Option* const model = command->add_option("--model", options->model, "Which model")
                                 ->check(CLI::IsMember(std::move(names)))
                                 ->capture_default_str()
                                 ->group(learning);
  CLI::Option* const size =
      command
          ->add_option("--size", options->size,
                       "Side of the images in pixels; without it, the model's own")
          ->check(CLI::PositiveNumber)
          ->group(learning);
  command
      ->add_option("--weights", options->weights,
                   "Start from these weights (safetensors, or OpenAI's .pt) instead of --model")
      ->excludes(model)
      ->excludes(size)
      ->group(learning);
  command->add_option("--epochs", options->plan.epochs, "Passes over the pairs")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group(learning);
  command->add_option("--batch-size", options->plan.batch_size, "Pairs a step")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str()
      ->group(learning);
  command
      ->add_option("--learning-rate", options->plan.learning_rate,
                   "The highest of a cosine schedule; a twentieth of the steps warms up")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(learning);
  add_cleaning_options(*command, options->cleaning);

  add_running_options(*command, options->running, "Of the weights and of the order of the pairs");
  command->footer(
      "log.csv has a line an epoch: the mean loss, the learning rate, and the retrieval of the "
      "test\n"
      "split. A run that was interrupted ends, with --resume, in the same bytes.\n\n"
      "  $ unlearn train --pairs protected --test-pairs flickr8k --out hacker");
  command->callback([options] { train(*options); });
}

}  // namespace unlearn::tool
