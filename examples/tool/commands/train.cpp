// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/train.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clip/model/config.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/enum_option.hpp"

namespace unlearn::tool {

void add_train(CLI::App& app) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* const command = app.add_subcommand(
      "train", "Trains a CLIP model on pairs, from scratch or from weights, and evaluates it");
  add_pairs_options(*command, options->pairs);
  command
      ->add_option("--test-pairs", options->test.pairs,
                   "Folder of the pairs to evaluate on; without it, that of --pairs")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--test-images", options->test.images,
                   "Its images, if they are in another folder")
      ->check(CLI::ExistingDirectory);
  command->add_option("--test-captions", options->test.captions,
                      "Its captions, if they are in another file");
  command
      ->add_option("--out", options->out,
                   "New folder for log.csv, model.safetensors, result.json, vocabulary.json")
      ->required();
  add_vocab_option(*command, options->vocab);
  command->add_option("--split", options->split, "Which rows to train on; \"\" for all")
      ->capture_default_str();
  command
      ->add_option("--test-split", options->test_split, "Which rows to evaluate on; \"\" for all")
      ->capture_default_str();

  const std::string learning = "Model and training";
  std::vector<std::string> names(clip::config_names().begin(), clip::config_names().end());
  CLI::Option* const model = command->add_option("--model", options->model, "Architecture")
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
  add_enum_option(*command, "--loss", options->loss,
                  "What the model minimises: CLIP's InfoNCE, or SigLIP's pairwise sigmoid loss")
      ->group(learning);
  command->add_option("--epochs", options->plan.epochs, "How often to go through all pairs")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group(learning);
  command
      ->add_option("--batch-size", options->plan.batch_size,
                   "How many pairs are contrasted with each other in a step")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str()
      ->group(learning);
  command
      ->add_option("--learning-rate", options->plan.learning_rate,
                   "Peak of the cosine schedule; it is reached after a twentieth of the steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(learning);
  add_cleaning_options(*command, options->cleaning);

  add_running_options(*command, options->running,
                      "Seed of the initial weights and of the order of the pairs");
  command->footer(
      "log.csv has one line for each epoch: the mean loss, the learning rate, and the retrieval "
      "on\n"
      "the test split. A run that was interrupted can be continued with --resume; it then ends in\n"
      "the same bytes as if it had not been interrupted.\n\n"
      "  $ unlearn train --pairs protected --test-pairs flickr8k --out hacker");
  command->callback([options] { train(*options); });
}

}  // namespace unlearn::tool
