// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/pairs_options.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>

#include "pairs/text/merge_list.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

/// The most words that are learned from captions.
constexpr std::size_t most_words = 20'000;

}  // namespace

std::string PairsOptions::images_folder() const {
  if (!images.empty()) return images;
  require(!pairs.empty(), "images", "--images DIR, or --pairs DIR", "neither");
  return (std::filesystem::path(pairs) / "images").string();
}

std::string PairsOptions::captions_file() const {
  if (!captions.empty()) return captions;
  require(!pairs.empty(), "captions", "--captions FILE, or --pairs DIR", "neither");
  return (std::filesystem::path(pairs) / "captions.csv").string();
}

std::string PairsOptions::image_path(const std::string& image) const {
  return (std::filesystem::path(images_folder()) / image).string();
}

std::vector<std::string> PairsOptions::image_paths(const pairs::CaptionSet& set) const {
  std::vector<std::string> paths;
  paths.reserve(set.images.size());
  for (const std::string& image : set.images) paths.push_back(image_path(image));
  return paths;
}

pairs::CaptionSet PairsOptions::read(const std::string& split) const {
  return pairs::select_split(pairs::read_captions(captions_file()), split, captions_file());
}

void add_pairs_options(CLI::App& command, PairsOptions& options) {
  command
      .add_option("--pairs", options.pairs,
                  "Folder with images in images/ and captions in captions.csv")
      ->check(CLI::ExistingDirectory);
  command
      .add_option("--images", options.images,
                  "Folder of the images, if it is not images/ in --pairs")
      ->check(CLI::ExistingDirectory);
  command.add_option(
      "--captions", options.captions,
      "Captions file, if it is not captions.csv in --pairs: CSV (image,caption[,split]), "
      "Flickr8k's token file, Karpathy's or COCO's JSON");
}

pairs::AnyTokenizer make_tokenizer(const std::string& vocab,
                                   const std::vector<std::string>& captions) {
  if (vocab == "words") return pairs::WordTokenizer::learn(captions, most_words);
  return pairs::AnyTokenizer::from_file(pairs::merge_list_or_default(vocab));
}

void add_vocab_option(CLI::App& command, std::string& vocab) {
  command.add_option(
      "--vocab", vocab,
      "Vocabulary: CLIP's merge list, bpe_simple_vocab_16e6.txt[.gz]; a vocabulary.json of "
      "`unlearn train`; or `words`, to learn whole words from the captions. Without it, the merge "
      "list of an installed open_clip_torch");
}

}  // namespace unlearn::tool
