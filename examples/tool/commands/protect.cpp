// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/protect.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clip/model/config.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/protection_options.hpp"

namespace unlearn::tool {

void add_protect(CLI::App& app) {
  const auto options = std::make_shared<ProtectOptions>();
  CLI::App* const command = app.add_subcommand(
      "protect", "Makes pairs unlearnable: noise in each image, trigger words in each caption");
  add_pairs_options(*command, options->pairs);
  command->add_option("--out", options->out, "New folder for the protected pairs")->required();
  add_vocab_option(*command, options->vocab);
  command->add_option("--split", options->split,
                      "Which rows to protect; without it, those of `train` if the captions have "
                      "splits, else all");
  add_protection_options(*command, options->plan);
  const std::vector<std::string> models(clip::config_names().begin(), clip::config_names().end());
  command->get_option("--model")->check(CLI::IsMember(models));
  add_running_options(*command, options->running, "Seed of everything that is drawn at random");
  command
      ->add_option("--memory", options->memory_megabytes,
                   "MiB of memory for images; what does not fit is kept in a temporary file")
      ->capture_default_str()
      ->group("Running");
  command
      ->add_flag("--skip-bad", options->skip_bad,
                 "Leave out images that cannot be read or have no caption, and name them")
      ->group("Running");
  command->footer(
      "Publish images/ (PNG; another format would damage the noise) and captions.csv of --out.\n"
      "Keep manifest.json, noise.npy, triggers.npy and trace.csv to yourself: with them the\n"
      "protection can be undone. A run that was interrupted can be continued with --resume; it\n"
      "then ends in the same bytes as if it had not been interrupted.\n\n"
      "  $ unlearn protect --pairs flickr8k --vocab bpe_simple_vocab_16e6.txt.gz --out protected\n"
      "  $ unlearn verify --clean flickr8k --protected protected");
  command->callback([options] { protect(*options); });
}

}  // namespace unlearn::tool
