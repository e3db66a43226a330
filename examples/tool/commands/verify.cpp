// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tool/commands/commands.hpp"
#include "tool/commands/count_line.hpp"
#include "tool/publication/verification.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/number_text.hpp"

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

std::string as_json(const Verification& found) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  const nlohmann::ordered_json json{{"verified", found.holds()},
                                    {"images", found.images},
                                    {"captions", found.captions},
                                    {"captions_left_out", found.left_out},
                                    {"size", found.size},
                                    {"trigger_length", found.trigger_length},
                                    {"epsilon_levels", found.epsilon_levels},
                                    {"images_compared", found.compared},
                                    {"linf_levels", found.linf_levels},
                                    {"psnr_min", number(found.psnr_min)},
                                    {"psnr_mean", number(found.psnr_mean)},
                                    {"ssim_mean", number(found.ssim_mean)},
                                    {"violation_count", found.violation_count},
                                    {"violations", found.violations}};
  // Names of files need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string as_text(const Verification& found) {
  const auto number = [](const std::optional<double>& value, const char* unit) {
    return value ? unlearn::rounded_text(*value, 4) + unit : std::string("-");
  };
  std::string text = std::to_string(found.images) + " images of " + std::to_string(found.size) +
                     " x " + std::to_string(found.size) + ", " + std::to_string(found.captions) +
                     " captions, " + std::to_string(found.trigger_length) +
                     " trigger tokens each\n";
  if (found.left_out > 0) {
    text += "left out by the manifest: " + std::to_string(found.left_out) + " captions\n";
  }
  return text + "largest change " + std::to_string(found.linf_levels) + " levels, at most " +
         std::to_string(found.epsilon_levels) + " allowed\nPSNR " + number(found.psnr_mean, " dB") +
         " (least " + number(found.psnr_min, " dB") + "), SSIM " + number(found.ssim_mean, "") +
         "\n";
}

/// @throws Error that names the first violations
void require_to_hold(const Verification& found, const std::string& folder) {
  if (found.holds()) return;
  std::string message =
      unlearn::expectation("protected folder '" + folder + "'", "what its manifest promises",
                           std::to_string(found.violation_count) +
                               (found.violation_count == 1 ? " violation" : " violations"));
  if (found.violations.size() < found.violation_count) {
    message += ", the first " + std::to_string(found.violations.size());
  }
  message += ":";
  for (const std::string& violation : found.violations) message += "\n  " + violation;
  throw Error(message);
}

void verify(const VerifyOptions& options) {
  VerificationOptions verification = options.verification;
  CountLine line("verifying images", options.quiet);
  verification.progress = [&](std::size_t done, std::size_t all) { line(done, all); };
  const Verification found = verify(clean_pairs_in(options.clean, options.captions),
                                    options.protected_folder, verification);
  if (options.json) {
    std::cout << as_json(found) << '\n';
  } else if (!options.quiet) {
    std::cout << as_text(found);
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
      "verify", "Proves from the published files that pairs are protected as their manifest says");
  command
      ->add_option("--clean", options->clean,
                   "Folder with the clean pairs: images in images/, or in itself; captions.csv in "
                   "it or beside it")
      ->required();
  command
      ->add_option("--protected", options->protected_folder,
                   "Folder that `unlearn protect` has written: images/, captions.csv, "
                   "manifest.json, and perhaps triggers.npy")
      ->required();
  command->add_option("--captions", options->captions,
                      "Clean captions: CSV (image,caption[,split]), Flickr8k's token file, "
                      "Karpathy's or COCO's JSON");
  command->add_option("--vocab", options->verification.vocab,
                      "CLIP's merge list; without it, the one that an installed open_clip_torch "
                      "brings. Not needed where the manifest has its own words");
  command->add_option("--threads", options->verification.threads, "0 for one a core")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as a JSON object");
  command->add_flag("--quiet", options->quiet, "No progress, no summary: the exit status tells");
  command->footer(
      "Reads every published file again and compares it with its clean one: the images' size,\n"
      "digest and largest change, each caption's trigger and tokens. Ends with an error that\n"
      "names the first 10 violations, and how many there are, unless there is none.");
  command->callback([options] { verify(*options); });
}

}  // namespace unlearn::tool
