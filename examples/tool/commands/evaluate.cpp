// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstddef>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/weights.hpp"
#include "clip/training/training.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/evaluation.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"
#include "tool/publication/training_result.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {
namespace {

struct EvaluateOptions {
  PairsOptions pairs{};
  std::string split = "test";
  std::string vocab{};
  std::string weights{};
  std::string image_embeddings{};
  std::string text_embeddings{};
  std::size_t captions_per_image = 5;
  std::size_t k = 10;
  unsigned threads = 0;
  Device device = Device::cpu;
  bool json = false;
};

Retrieval of_embeddings(const EvaluateOptions& options) {
  const FileMapping images(options.image_embeddings);
  const FileMapping texts(options.text_embeddings);
  return retrieval(npy_view<const float>(images.bytes(), options.image_embeddings),
                   npy_view<const float>(texts.bytes(), options.text_embeddings),
                   {.captions_per_signal = options.captions_per_image, .k = options.k});
}

Retrieval of_model(const EvaluateOptions& options) {
  set_up_torch(options.device, options.threads);
  require(options.vocab != "words", "--vocab of a trained model",
          "the file that it was trained with", "words");
  const pairs::AnyTokenizer tokenizer = make_tokenizer(options.vocab, {});
  clip::Clip model = make_model({.weights = options.weights, .vocabulary = tokenizer.vocabulary()});
  pairs::ImagePairs pairs =
      evaluation_pairs(options.pairs, options.split, tokenizer, model->config(), options.threads);
  clip::ClipEncoder encoder(model, {.device = torch_device(options.device)});
  return clip::evaluate(encoder, pairs, options.k);
}

void evaluate(const EvaluateOptions& options) {
  const bool embeddings = !options.image_embeddings.empty();
  require(embeddings || !options.weights.empty(), "what to evaluate",
          "--weights FILE, or --image-embeddings FILE and --text-embeddings FILE", "neither");
  const Retrieval found = embeddings ? of_embeddings(options) : of_model(options);
  if (options.json) {
    nlohmann::json json = to_json(found);
    if (options.k != 10) {
      for (auto& direction : json) {
        direction["hit" + std::to_string(options.k)] = direction.at("hit10");
        direction.erase("hit10");
      }
    }
    std::cout << json.dump() << '\n';
  } else {
    const auto line = [&](const char* name, const RetrievalScore& score) {
      std::cout << name << "  Hit@" << options.k << ' ' << score.hit_at_k << "%  MedR "
                << score.median_rank << '\n';
    };
    line("image to text", found.signal_to_text);
    line("text to image", found.text_to_signal);
  }
  std::cout.flush();
}

}  // namespace

void add_evaluate(CLI::App& app) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* const command = app.add_subcommand(
      "evaluate", "Measures retrieval: of a model on pairs, or of embeddings from anywhere");
  const std::string of_model = "A model";
  CLI::Option* const weights =
      command->add_option("--weights", options->weights, "Safetensors, or OpenAI's .pt")
          ->check(CLI::ExistingFile)
          ->group(of_model);
  add_pairs_options(*command, options->pairs);
  command->add_option("--split", options->split, "Which rows to evaluate on; \"\" for all")
      ->capture_default_str()
      ->group(of_model);
  add_vocab_option(*command, options->vocab);
  add_device_option(*command, options->device)->group(of_model);
  command
      ->add_option("--threads", options->threads, "How many threads to use; 0 for one on each core")
      ->capture_default_str()
      ->group(of_model);

  const std::string of_embeddings = "Embeddings";
  CLI::Option* const images = command
                                  ->add_option("--image-embeddings", options->image_embeddings,
                                               ".npy, float32 [images, D], normalised or not")
                                  ->check(CLI::ExistingFile)
                                  ->excludes(weights)
                                  ->group(of_embeddings);
  CLI::Option* const texts = command
                                 ->add_option("--text-embeddings", options->text_embeddings,
                                              ".npy, float32 [images x captions, D], each image's "
                                              "captions in turn")
                                 ->check(CLI::ExistingFile)
                                 ->needs(images)
                                 ->group(of_embeddings);
  images->needs(texts);
  command
      ->add_option("--captions-per-image", options->captions_per_image,
                   "How many rows of the texts belong to each image")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group(of_embeddings);

  command->add_option("--k", options->k, "A match counts as a hit if it is among the first k")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer(
      "The rank of an image is the best rank of its captions; the rank of a caption is that of "
      "its\n"
      "image. Ranks start at 1. docs/mathematics.md defines the ranks of ties.\n\n"
      "  $ unlearn evaluate --weights hacker/model.safetensors --pairs flickr8k --json\n"
      "  $ unlearn evaluate --image-embeddings a.npy --text-embeddings b.npy "
      "--captions-per-image 5");
  command->callback([options] { evaluate(*options); });
}

}  // namespace unlearn::tool
