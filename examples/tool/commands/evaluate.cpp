// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/evaluate.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string>

#include "tool/commands/commands.hpp"

namespace unlearn::tool {

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
