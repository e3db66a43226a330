// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_set.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>

#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

/// Collects rows into a CaptionSet.
class Collector {
 public:
  void add(const std::string& image, const std::string& caption, const std::string& split) {
    const auto [at, is_new] = number_of_.emplace(image, static_cast<Index>(set_.images.size()));
    if (is_new) set_.images.push_back(image);
    set_.image_of_row.push_back(at->second);
    set_.captions.push_back(caption);
    set_.splits.push_back(split);
  }

  [[nodiscard]] CaptionSet take() { return std::move(set_); }

 private:
  CaptionSet set_;
  std::unordered_map<std::string, Index> number_of_;
};

}  // namespace

CaptionSet select_split(std::span<const CaptionRow> rows, const std::string& split,
                        const std::string& file) {
  Collector selected;
  std::set<std::string> splits;
  std::size_t count = 0;
  for (const CaptionRow& row : rows) {
    splits.insert(row.split);
    if (!split.empty() && row.split != split) continue;
    selected.add(row.image, row.caption, row.split);
    ++count;
  }
  if (count == 0) {
    std::string there;
    for (const std::string& name : splits) {
      there.append(there.empty() ? "" : ", ").append(name.empty() ? "rows without a split" : name);
    }
    throw InvalidArgument(expectation("captions of the split '" + split + "' in '" + file + "'",
                                      "at least 1",
                                      there.empty() ? "no row at all" : "only: " + there));
  }
  return selected.take();
}

CaptionSet image_by_image(const CaptionSet& set) {
  std::vector<std::size_t> order(set.rows());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t row) { return set.image_of_row[row]; });
  std::vector<std::size_t> counts(set.images.size());
  for (const Index image : set.image_of_row) ++counts[image];
  for (std::size_t image = 0; image < counts.size(); ++image) {
    require(counts[image] == counts[0],
            "captions of '" + set.images[image] + "', evaluated by rank",
            "as many as '" + set.images[0] + "' has, " + std::to_string(counts[0]), counts[image]);
  }
  Collector sorted;
  for (const std::size_t row : order) {
    sorted.add(set.images[set.image_of_row[row]], set.captions[row], set.splits[row]);
  }
  return sorted.take();
}

CaptionSet without(const CaptionSet& set, std::span<const std::string> images) {
  const std::set<std::string> dropped(images.begin(), images.end());
  Collector rest;
  for (std::size_t row = 0; row < set.rows(); ++row) {
    const std::string& image = set.images[set.image_of_row[row]];
    if (!dropped.contains(image)) rest.add(image, set.captions[row], set.splits[row]);
  }
  return rest.take();
}

}  // namespace unlearn::pairs
