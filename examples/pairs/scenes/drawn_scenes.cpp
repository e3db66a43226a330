// SPDX-License-Identifier: Apache-2.0
#include "pairs/scenes/drawn_scenes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <random>
#include <ranges>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

constexpr std::size_t most_images = 99'999;  // five digits, and far fewer than there are scenes
constexpr std::size_t most_captions = 10;    // far fewer than there are ways to describe a scene

/// The words of a caption, including its punctuation.
std::vector<std::string> words_of(const std::string& caption) {
  std::vector<std::string> words;
  for (const auto word : std::views::split(caption, ' '))
    words.emplace_back(word.begin(), word.end());
  return words;
}

std::vector<std::string> different_captions(const Scene& scene, std::size_t count,
                                            std::mt19937_64& rng) {
  std::vector<std::string> captions;
  while (captions.size() < count) {
    std::string caption = random_caption(scene, rng);
    if (std::ranges::count(captions, caption) == 0) captions.push_back(std::move(caption));
  }
  return captions;
}

/// Creates the folder if it does not exist. Throws if it is not empty.
void prepare(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const bool is_empty = !failure && std::filesystem::is_empty(folder, failure);
  if (!failure && is_empty) return;
  throw FileError(expectation("output folder '" + folder.string() + "'", "a new or an empty one",
                              failure ? failure.message() : "one with something in it"));
}

}  // namespace

DrawnScenes::DrawnScenes(const DrawnScenesOptions& options) : options_(options) {
  const auto require_range = [](const char* what, std::size_t least, std::size_t most,
                                std::size_t got) {
    require(got >= least && got <= most, what,
            std::to_string(least) + " to " + std::to_string(most), got);
  };
  require_range("training images", 1, most_images, options.train);
  require_range("test images", 0, most_images - options.train, options.test);
  require_range("captions per image", 1, most_captions, options.captions_per_image);
  require_range("side of an image", 8, 1024, options.size);
  require(options.contrast >= 1 && options.contrast <= 100, "contrast of the images",
          "1 to 100 percent", options.contrast);

  std::mt19937_64 rng(options.seed);
  std::set<Scene> drawn;
  std::set<std::string> known;  // words of the training captions
  static constexpr int most_tries = 10'000;
  int tries = 0;
  while (scenes_.size() < options.train + options.test) {
    Drawn next{.scene = random_scene(rng), .seed = random_bits(rng), .captions = {}};
    if (drawn.contains(next.scene)) continue;
    next.captions = different_captions(next.scene, options.captions_per_image, rng);
    std::vector<std::string> words;
    for (const std::string& caption : next.captions) {
      std::ranges::copy(words_of(caption), std::back_inserter(words));
    }
    if (scenes_.size() < options.train) {
      known.insert(words.begin(), words.end());
    } else if (!std::ranges::all_of(words,
                                    [&](const auto& word) { return known.contains(word); })) {
      require(++tries < most_tries, "training images",
              "more, so that their captions have the words of the test images'", options.train);
      continue;
    }
    tries = 0;
    drawn.insert(next.scene);
    scenes_.push_back(std::move(next));
  }
}

Image DrawnScenes::image(std::size_t i) const {
  Image image = render(scenes_.at(i).scene, options_.size, scenes_.at(i).seed);
  constexpr int grey = 128;
  for (std::uint8_t& value : image.rgb) {
    // Rounds to nearest. The offset keeps the dividend positive, so that division rounds down.
    const int scaled = (value - grey) * options_.contrast + 100 * grey + 50;
    value = static_cast<std::uint8_t>(std::min(scaled / 100, 255));
  }
  return image;
}

void DrawnScenes::write(
    const std::string& folder,
    const std::function<void(std::size_t done, std::size_t all)>& progress) const {
  const std::filesystem::path out(folder);
  prepare(out);
  prepare(out / "images");
  std::vector<CaptionRow> rows;
  for (std::size_t i = 0; i < size(); ++i) {
    std::string name = std::to_string(i + 1);
    name.insert(0, 5 - name.size(), '0').append(".png");
    write_png((out / "images" / name).string(), image(i));
    for (const std::string& caption : captions(i)) {
      rows.push_back({.image = name, .caption = caption, .split = std::string(split(i))});
    }
    if (progress) progress(i + 1, size());
  }
  write_captions_csv((out / "captions.csv").string(), rows);
}

}  // namespace unlearn::pairs
