// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/cleaning_options.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace unlearn::tool {
namespace {

constexpr const char* group = "Cleaning of the training pairs, in this order";

}  // namespace

void add_cleaning_options(CLI::App& command, CleaningOptions& options) {
  command
      .add_option("--strip-words", options.strip_words,
                  "Cut so many words off the front of each caption; its last word remains")
      ->check(CLI::Range(1, 1'000'000))
      ->group(group);
  command.add_option("--jpeg", options.jpeg, "Save each image as JPEG of this quality, 1 to 100")
      ->check(CLI::Range(1, 100))
      ->group(group);
  command.add_flag("--grayscale", options.grayscale, "Take the colours away")->group(group);
  command
      .add_flag("--random-crop", options.random_crop,
                "Show another part of each image each time: 1/2 to all of its area, 3:4 to 4:3")
      ->group(group);
}

pairs::Cleaning cleaning_of(const CleaningOptions& options) {
  pairs::Cleaning cleaning;
  if (options.strip_words > 0) cleaning.push_back(pairs::strip_words(options.strip_words));
  if (options.jpeg > 0) cleaning.push_back(pairs::jpeg(options.jpeg));
  if (options.grayscale) cleaning.push_back(pairs::grayscale());
  if (options.random_crop) cleaning.push_back(pairs::random_crop());
  return cleaning;
}

}  // namespace unlearn::tool
