// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

#include "pairs/scenes/drawn_scenes.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/count_line.hpp"

namespace unlearn::tool {
namespace {

struct DrawOptions {
  std::string out;
  bool quiet = false;
  pairs::DrawnScenesOptions scenes;
};

void draw(const DrawOptions& options) {
  const pairs::DrawnScenes scenes(options.scenes);
  CountLine progress("writing images", options.quiet);
  scenes.write(options.out, [&](std::size_t done, std::size_t all) { progress(done, all); });
  if (options.quiet) return;
  std::printf("%zu images to train on and %zu to test, %zu captions each: %s/captions.csv\n",
              options.scenes.train, options.scenes.test, options.scenes.captions_per_image,
              options.out.c_str());
}

}  // namespace

void add_draw(CLI::App& app) {
  const auto options = std::make_shared<DrawOptions>();
  CLI::App* const command = app.add_subcommand(
      "draw", "Draws images with captions, to try the other commands where no data are at hand");
  command->add_option("--out", options->out, "Folder for images/ and captions.csv; new or empty")
      ->required();
  command->add_option("--train", options->scenes.train, "Images of the split train")
      ->check(CLI::Range(1, 99'999))
      ->capture_default_str();
  command->add_option("--test", options->scenes.test, "Images of the split test")
      ->check(CLI::Range(0, 99'998))
      ->capture_default_str();
  command
      ->add_option("--captions-per-image", options->scenes.captions_per_image,
                   "How many captions each image has")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  command->add_option("--size", options->scenes.size, "Side of the images in pixels")
      ->check(CLI::Range(8, 1024))
      ->capture_default_str();
  command
      ->add_option("--contrast", options->scenes.contrast,
                   "In percent: 100 for bright images, less for a fog in which colours say less")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--seed", options->scenes.seed, "Another seed draws another set")
      ->capture_default_str();
  command->add_flag("--quiet", options->quiet, "Print nothing");
  command->footer(
      "One to three shapes on a ground; a caption names their number, size, colour, shape and "
      "place,\n"
      "and the ground. All scenes differ, and every word of a test caption occurs in training.\n"
      "Use it by: unlearn train --images DIR/images --captions DIR/captions.csv --size 32 ...");
  command->callback([options] { draw(*options); });
}

}  // namespace unlearn::tool
