// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/model.hpp"
#include "clip/model/weights.hpp"
#include "pairs/cleaning/cleaning.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/commands/evaluation.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/output_folder.hpp"
#include "tool/commands/stopwatch.hpp"
#include "tool/commands/train.hpp"
#include "tool/commands/training_run.hpp"
#include "tool/publication/training_result.hpp"
#include "unlearn/core/version.hpp"

namespace unlearn::tool {
namespace {

using Json = nlohmann::json;

const PairsOptions& test_pairs(const TrainOptions& options) {
  return options.test.empty() ? options.pairs : options.test;
}

clip::Clip new_model(const TrainOptions& options, const pairs::AnyTokenizer& tokenizer) {
  return make_model({.name = options.model,
                     .weights = options.weights,
                     .size = options.size,
                     .vocabulary = tokenizer.vocabulary(),
                     .loss = options.loss,
                     .seed = options.running.seed});
}

/// The captions to train on, cleaned.
pairs::CaptionSet read_captions(const TrainOptions& options) {
  pairs::CaptionSet set = options.pairs.read(options.split);
  const pairs::Cleaning cleaning = cleaning_of(options.cleaning);
  for (std::string& caption : set.captions) {
    caption = pairs::clean_caption(cleaning, std::move(caption));
  }
  return set;
}

pairs::ImagePairs read_pairs(const TrainOptions& options, const pairs::CaptionSet& set,
                             const pairs::AnyTokenizer& tokenizer, const clip::ClipConfig& config) {
  CountLine progress("reading images", options.running.quiet);
  pairs::ImagePairsOptions reading{.size = static_cast<std::size_t>(config.image_resolution),
                                   .threads = options.running.threads};
  pairs::clean_images(cleaning_of(options.cleaning), reading);
  reading.augment_seed = options.running.seed;
  reading.progress = [&](std::size_t done, std::size_t all) { progress(done, all); };
  return {options.pairs.image_paths(set), set.image_of_row,
          pairs::tokens_of(set, tokenizer, static_cast<std::size_t>(config.context_length)),
          std::move(reading)};
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
          {"loss", pairs::name_of(options.loss)},
          {"epochs", options.plan.epochs},
          {"batch_size", options.plan.batch_size},
          {"learning_rate", options.plan.learning_rate},
          {"device", pairs::name_of(options.running.device)},
          {"seed", options.running.seed}};
}

/// What a training will do, and what the model finds before it.
void print_start(const TrainOptions& options, const clip::LearningRate& rate, std::size_t rows,
                 std::size_t images, const Retrieval& untrained) {
  std::printf(
      "%zu pairs of %zu images, %zu steps an epoch; learning rate %g, %llu of %llu "
      "steps to warm up\n%s\n",
      rows, images, options.plan.steps_per_epoch(rows), rate.rate,
      static_cast<unsigned long long>(rate.warmup), static_cast<unsigned long long>(rate.steps),
      to_line("untrained", untrained).c_str());
  std::fflush(stdout);
}

void print_result(const RunningOptions& running, const Retrieval& found) {
  if (running.silent) return;
  if (running.json) {
    std::cout << to_json(found).dump() << '\n';
  } else {
    std::cout << to_line("trained", found) << std::endl;
  }
}

/// Trains the model and writes log.csv and model.safetensors.
/// @returns the retrieval on the test pairs
Retrieval train_into(const OutputFolder& out, const TrainOptions& options, clip::Clip& model,
                     pairs::ImagePairs& pairs, pairs::ImagePairs& test) {
  clip::ClipEncoderOptions encoding{.device = torch_device(options.running.device)};
  encoding.optimizer.learning_rate = clip::schedule_of(options.plan, pairs.rows());
  clip::ClipEncoder encoder(model, encoding);
  EpochLog log(out.file("log.csv"), encoder, test);
  const bool talks = !options.running.quiet && !options.running.json && !options.running.silent;
  train_model({.model = encoder,
               .pairs = pairs,
               .plan = options.plan,
               .loss = options.loss,
               .checkpoint = out.run_file("checkpoint"),
               .running = options.running,
               .log = &log,
               .before_first = [&] {
                 if (!talks) return;
                 print_start(options, encoding.optimizer.learning_rate, pairs.rows(),
                             pairs.signals(), clip::evaluate(encoder, test));
               }});
  clip::save_clip(out.file("model.safetensors"), *model);
  return log.last() ? *log.last() : clip::evaluate(encoder, test);
}

}  // namespace

Retrieval evaluate_untrained(const TrainOptions& options) {
  set_up_torch(options.running.device, options.running.threads);
  const pairs::AnyTokenizer tokenizer =
      make_tokenizer(options.vocab, options.pairs.read(options.split).captions);
  clip::Clip model = new_model(options, tokenizer);
  pairs::ImagePairs test = evaluation_pairs(test_pairs(options), options.test_split, tokenizer,
                                            model->config(), options.running.threads);
  clip::ClipEncoder encoder(model, {.device = torch_device(options.running.device)});
  return clip::evaluate(encoder, test);
}

void train(const TrainOptions& options) {
  const Stopwatch total;
  set_up_torch(options.running.device, options.running.threads);
  const pairs::CaptionSet set = read_captions(options);
  const pairs::AnyTokenizer tokenizer = make_tokenizer(options.vocab, set.captions);
  clip::Clip model = new_model(options, tokenizer);
  const Json settings = settings_of(options, set, tokenizer, model->config());
  const OutputFolder out(options.out, "result.json", settings, options.running.resume);
  if (out.complete()) {
    print_result(options.running, read_training_result(out.file("result.json")).retrieval);
    return;
  }
  if (const auto* const words = tokenizer.words()) words->save(out.file("vocabulary.json"));
  pairs::ImagePairs pairs = read_pairs(options, set, tokenizer, model->config());
  pairs::ImagePairs test = evaluation_pairs(test_pairs(options), options.test_split, tokenizer,
                                            model->config(), options.running.threads);
  const TrainingResult result{.retrieval = train_into(out, options, model, pairs, test),
                              .settings = settings,
                              .version = unlearn::version,
                              .seconds = total.seconds()};
  out.finish(json_of(result));
  print_result(options.running, result.retrieval);
}

}  // namespace unlearn::tool
