// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/sources.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <set>
#include <span>
#include <utility>

#include "pairs/captions/caption_file.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image_pairs.hpp"
#include "tool/commands/count_line.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;

std::string resolve_split(const std::string& wanted, std::span<const pairs::CaptionRow> rows) {
  if (!wanted.empty()) return wanted;
  const bool told = std::ranges::any_of(rows, [](const auto& row) { return !row.split.empty(); });
  return told ? "train" : "";
}

bool has_image_ending(const fs::path& path) {
  static const std::set<std::string> endings{".jpg", ".jpeg", ".png", ".webp"};
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return endings.contains(ending);
}

/// Images in the folder that no caption names.
std::vector<std::string> images_without_captions(const std::string& folder,
                                                 std::span<const pairs::CaptionRow> rows) {
  std::set<std::string> named;
  for (const pairs::CaptionRow& row : rows) named.insert(fs::path(row.image).lexically_normal());
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || !has_image_ending(entry.path())) continue;
    std::string name = entry.path().lexically_relative(folder).string();
    if (!named.contains(name)) found.push_back(std::move(name));
  }
  std::ranges::sort(found);
  return found;
}

/// @throws FileError that names the first of `problems`, unless such images are to be skipped
void report_bad(bool skip_bad, const std::vector<std::string>& problems, Sources& sources) {
  if (problems.empty()) return;
  if (!skip_bad) {
    std::string message = problems.front();
    if (problems.size() > 1) {
      message.append(" (and ").append(std::to_string(problems.size() - 1)).append(" more)");
    }
    throw FileError(message + "; --skip-bad leaves such images out");
  }
  for (const std::string& problem : problems) {
    std::fprintf(stderr, "skipped: %s\n", problem.c_str());
    sources.skipped.push_back(problem);
  }
}

void report_uncaptioned(const SourcesRequest& request, std::span<const pairs::CaptionRow> rows,
                        Sources& sources) {
  const std::string folder = request.pairs.images_folder();
  std::vector<std::string> problems;
  for (const std::string& name : images_without_captions(folder, rows)) {
    problems.push_back(expectation("image '" + name + "' in '" + folder + "'",
                                   "a caption in '" + request.pairs.captions_file() + "'", "none"));
  }
  report_bad(request.skip_bad, problems, sources);
}

/// Leaves out images that cannot be read, and notes which rows remain.
void drop_unreadable(const SourcesRequest& request, Sources& sources) {
  std::vector<std::string> problems;
  std::vector<std::string> bad;
  for (const pairs::BadImage& image :
       pairs::unreadable_images(request.pairs.image_paths(sources.set))) {
    problems.push_back(image.problem);
    bad.push_back(sources.set.images[image.index]);
  }
  report_bad(request.skip_bad, problems, sources);
  const std::set<std::string> dropped(bad.begin(), bad.end());
  for (std::size_t row = 0; row < sources.set.rows(); ++row) {
    if (!dropped.contains(sources.set.images[sources.set.image_of_row[row]])) {
      sources.rows.push_back(row);
    }
  }
  if (!bad.empty()) sources.set = pairs::without(sources.set, bad);
}

void hash_images(const SourcesRequest& request, Sources& sources) {
  CountLine progress("hashing images", request.quiet);
  for (std::size_t i = 0; i < sources.set.images.size(); ++i) {
    sources.sha256.push_back(
        pairs::sha256_of_file(request.pairs.image_path(sources.set.images[i])));
    progress(i + 1, sources.set.images.size());
  }
}

}  // namespace

std::string Sources::digest() const {
  std::string all = captions_sha256;
  for (const std::string& hash : sha256) all += hash;
  return pairs::sha256_of(std::as_bytes(std::span(all)));
}

Sources read_sources(const SourcesRequest& request) {
  const std::string captions = request.pairs.captions_file();
  const std::vector<pairs::CaptionRow> rows = pairs::read_captions(captions);
  Sources sources{.split = resolve_split(request.split, rows)};
  sources.set = pairs::select_split(rows, sources.split, captions);
  sources.captions_sha256 = pairs::sha256_of_file(captions);
  report_uncaptioned(request, rows, sources);
  drop_unreadable(request, sources);
  require(sources.set.rows() > 1, "rows to protect", "at least 2", sources.set.rows());
  hash_images(request, sources);
  return sources;
}

}  // namespace unlearn::tool
