// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "tool/commands/commands.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/publication/verification.hpp"
#include "tool/publication/verification_text.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

struct VerifyOptions {
  std::string clean;
  std::string captions;
  std::string protected_folder;
  bool json = false;
  bool quiet = false;
  VerificationOptions verification;
};

void verify(const VerifyOptions& options) {
  VerificationOptions verification = options.verification;
  CountLine line("verifying images", options.quiet);
  verification.progress = [&](std::size_t done, std::size_t all) { line(done, all); };
  const Verification found = verify(clean_pairs_in(options.clean, options.captions),
                                    options.protected_folder, verification);
  if (options.json) {
    std::cout << json_text(found) << '\n';
  } else if (!options.quiet) {
    std::cout << summary_of(found);
  }
  if (!options.quiet && !options.json && found.holds()) std::cout << "verified\n";
  std::cout.flush();
  if (!std::cout) throw FileError("standard output: expected to take the result, got an error");
  require_to_hold(found, options.protected_folder);
}

}  // namespace

void add_verify(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* const command = app.add_subcommand(
      "verify", "Checks that published pairs are protected as their manifest says");
  command
      ->add_option(
          "--clean", options->clean,
          "Folder of the clean pairs: images in images/ or in the folder itself, captions.csv "
          "in the folder or beside it")
      ->required();
  command
      ->add_option("--protected", options->protected_folder,
                   "Folder that `unlearn protect` wrote: images/, captions.csv, manifest.json, and "
                   "triggers.npy if it is there")
      ->required();
  command->add_option("--captions", options->captions,
                      "Clean captions: CSV (image,caption[,split]), Flickr8k's token file, "
                      "Karpathy's or COCO's JSON");
  command->add_option(
      "--vocab", options->verification.vocab,
      "CLIP's merge list; without it, that of an installed open_clip_torch. Not needed "
      "if the manifest has a vocabulary of words");
  command
      ->add_option("--threads", options->verification.threads,
                   "How many threads to use; 0 for one on each core")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as a JSON object");
  command->add_flag("--quiet", options->quiet,
                    "Print nothing; the exit status is 0 if everything holds");
  command->footer(
      "Reads every published file again and compares it with its clean one: the size, digest and\n"
      "largest change of each image; the trigger and the tokens of each caption. If anything does\n"
      "not hold, ends with an error that names the first 10 violations and how many there are.");
  command->callback([options] { verify(*options); });
}

}  // namespace unlearn::tool
