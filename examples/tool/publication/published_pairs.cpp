// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/published_pairs.hpp"

#include <filesystem>
#include <map>
#include <unordered_map>

#include "unlearn/core/error.hpp"

namespace unlearn::tool {

PublicationPlan plan_publication(const pairs::CaptionSet& set,
                                 std::span<const Index> noise_of_row) {
  require_size("rows of the noise scope", set.rows(), noise_of_row.size());
  PublicationPlan plan;
  std::map<std::pair<Index, Index>, Index> known;
  std::vector<std::vector<Index>> of_signal(set.images.size());
  for (std::size_t row = 0; row < set.rows(); ++row) {
    const Index signal = set.image_of_row[row];
    const auto [at, is_new] =
        known.emplace(std::pair(signal, noise_of_row[row]), static_cast<Index>(plan.images.size()));
    if (is_new) {
      of_signal[signal].push_back(at->second);
      plan.images.push_back({.signal = signal, .noise = noise_of_row[row]});
    }
    plan.image_of_row.push_back(at->second);
  }

  std::unordered_map<std::string, Index> owner;
  for (std::size_t signal = 0; signal < of_signal.size(); ++signal) {
    const std::filesystem::path source(set.images[signal]);
    const std::string stem = (source.parent_path() / source.stem()).string();
    for (std::size_t k = 0; k < of_signal[signal].size(); ++k) {
      std::string file = stem;
      if (of_signal[signal].size() > 1) file.append("_").append(std::to_string(k + 1));
      file.append(".png");
      const auto [at, is_new] = owner.emplace(file, static_cast<Index>(signal));
      require(is_new, "image '" + set.images[signal] + "'",
              "a name of its own once it is published as PNG",
              "'" + file + "', as of '" + set.images[at->second] + "'");
      plan.images[of_signal[signal][k]].file = std::move(file);
    }
  }
  return plan;
}

}  // namespace unlearn::tool
