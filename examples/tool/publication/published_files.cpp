// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/published_files.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "pairs/captions/caption_file.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/npy.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;

PublicationPlan plan_of(const Publication& publication) {
  std::vector<Index> noise_of_row(publication.set.rows());
  for (std::size_t row = 0; row < noise_of_row.size(); ++row) {
    noise_of_row[row] = publication.state.scope.noise.of(row);
  }
  return plan_publication(publication.set, noise_of_row);
}

void make_folders(const std::string& images, std::span<const PublishedImage> published) {
  std::set<fs::path> folders;
  for (const PublishedImage& image : published) {
    folders.insert(fs::path(images) / fs::path(image.file).parent_path());
  }
  for (const fs::path& folder : folders) fs::create_directories(folder);
}

/// The pixels of some images with their noise, one image after another.
std::vector<std::uint8_t> noisy_pixels(std::span<const PublishedImage> images,
                                       const MappedNoiseStore<>& noises, pairs::ImagePairs& pairs) {
  std::vector<Index> signals;
  std::vector<Index> groups;
  for (const PublishedImage& image : images) {
    signals.push_back(image.signal);
    groups.push_back(image.noise);
  }
  std::vector<std::uint8_t> pixels(images.size() * pairs.elements());
  std::vector<std::int8_t> noise(pixels.size());
  const std::array<std::size_t, 2> extents{images.size(), pairs.elements()};
  pairs.load_signals(signals, View<std::uint8_t, 2>(pixels, extents));
  noises.load(groups, View<std::int8_t, 2>(noise, extents));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(std::clamp(pixels[i] + noise[i], 0, 255));
  }
  return pixels;
}

/// Writes all images, some at a time.
/// @returns the SHA-256 of each file
std::vector<std::string> write_images(const Publication& publication,
                                      std::span<const PublishedImage> images,
                                      pairs::ImagePairs& pairs) {
  const std::string folder = publication.folder + "/images/";
  std::vector<std::string> hashes(images.size());
  const std::size_t stretch = std::size_t{32} * publication.policy.thread_count();
  for (std::size_t first = 0; first < images.size(); first += stretch) {
    const std::size_t count = std::min(stretch, images.size() - first);
    const std::vector<std::uint8_t> pixels =
        noisy_pixels(images.subspan(first, count), publication.state.noise, pairs);
    for_each_piece(publication.policy, count, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto rgb = std::span(pixels).subspan(i * pairs.elements(), pairs.elements());
        const std::string path = folder + images[first + i].file;
        pairs::write_png(path, {.height = pairs.size(),
                                .width = pairs.size(),
                                .rgb = std::vector<std::uint8_t>(rgb.begin(), rgb.end())});
        hashes[first + i] = pairs::sha256_of_file(path);
      }
    });
    if (publication.progress) publication.progress(first + count, images.size());
  }
  return hashes;
}

void write_captions(const Publication& publication, const PublicationPlan& plan) {
  const auto& [set, sha256, tokenizer, state, placement, folder, policy, progress] = publication;
  std::vector<pairs::CaptionRow> rows;
  for (std::size_t row = 0; row < set.rows(); ++row) {
    const auto trigger = state.triggers[state.scope.triggers.of(row)];
    rows.push_back({.image = plan.images[plan.image_of_row[row]].file,
                    .caption = published_caption(
                        tokenizer, placement,
                        {.row = static_cast<Index>(row), .text = set.captions[row]}, trigger),
                    .split = set.splits[row]});
  }
  pairs::write_captions_csv(folder + "/captions.csv", rows);
}

}  // namespace

std::vector<ManifestImage> publish(const Publication& publication, pairs::ImagePairs& pairs) {
  const PublicationPlan plan = plan_of(publication);
  make_folders(publication.folder + "/images", plan.images);
  const std::vector<std::string> hashes = write_images(publication, plan.images, pairs);
  write_captions(publication, plan);
  std::vector<ManifestImage> images;
  for (std::size_t i = 0; i < plan.images.size(); ++i) {
    const PublishedImage& image = plan.images[i];
    images.push_back({.file = "images/" + image.file,
                      .sha256 = hashes[i],
                      .source = publication.set.images[image.signal],
                      .source_sha256 = publication.sha256[image.signal]});
  }
  return images;
}

void write_triggers(const std::string& path, const TriggerTable& triggers) {
  AtomicFile file(path);
  put_npy(triggers.view(), [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

}  // namespace unlearn::tool
