// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/image_pairs.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "pairs/images/resize.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

void require_rows(std::size_t images, std::span<const Index> signal_of_row,
                  std::span<const std::vector<Token>> captions) {
  require(!signal_of_row.empty(), "rows", "at least one", 0);
  require_size("captions", signal_of_row.size(), captions.size());
  require(images <= std::numeric_limits<Index>::max(), "images",
          "at most " + std::to_string(std::numeric_limits<Index>::max()), images);
  for (std::size_t row = 0; row < captions.size(); ++row) {
    const std::string place = "row " + std::to_string(row);
    require(signal_of_row[row] < images, place + ", image", "less than " + std::to_string(images),
            signal_of_row[row]);
    require(!captions[row].empty(), place + ", tokens", "at least one", 0);
    const Token least = std::ranges::min(captions[row]);
    require(least >= 0, place + ", token", "at least 0", least);
  }
}

}  // namespace

ImagePairs::ImagePairs(std::vector<std::string> image_paths, std::vector<Index> signal_of_row,
                       std::vector<std::vector<Token>> captions, ImagePairsOptions options)
    : paths_(std::move(image_paths)),
      signal_of_row_(std::move(signal_of_row)),
      captions_(std::move(captions)),
      options_(std::move(options)) {
  static constexpr std::size_t largest = 16'384;
  require(options_.size >= 1 && options_.size <= largest, "size", "1 to " + std::to_string(largest),
          options_.size);
  require_rows(signals(), signal_of_row_, captions_);

  const std::size_t kept = std::min(signals(), options_.memory_bytes / elements());
  kept_.resize(kept * elements());
  if (kept < signals()) {
    others_ = ScratchFile(options_.scratch_folder, (signals() - kept) * elements());
  }
  const Parallel policy{options_.threads};
  // Long enough that threads rarely wait for each other, short enough to report progress.
  const std::size_t stretch = std::size_t{32} * policy.thread_count();
  for (std::size_t first = 0; first < signals(); first += stretch) {
    const std::size_t count = std::min(stretch, signals() - first);
    for_each_piece(policy, count, 1, [&](std::size_t begin, std::size_t end) {
      std::vector<std::uint8_t> passing(elements());
      for (std::size_t i = first + begin; i < first + end; ++i) {
        if (i < kept) {
          read_into(static_cast<Index>(i), std::span(kept_).subspan(i * elements(), elements()));
        } else {
          read_into(static_cast<Index>(i), passing);
          others_.write((i - kept) * elements(), passing);
        }
      }
    });
    if (options_.progress) options_.progress(first + count, signals());
  }
}

void ImagePairs::read_into(Index signal, std::span<std::uint8_t> out) const {
  Image image = read_image(paths_[signal], options_.limits);
  if (options_.prepare) options_.prepare(image);
  std::ranges::copy(clip_crop(image, options_.size).rgb, out.begin());
}

void ImagePairs::augment(Index signal, std::span<std::uint8_t> pixels) const {
  // Neighbouring seeds, draws and images must not give the same generator. So each number is mixed
  // in with all its bits.
  std::uint64_t mixed = options_.augment_seed;
  for (const std::uint64_t next : {draw_, std::uint64_t{signal}}) {
    mixed = SplitMix64(mixed)() + next;
  }
  std::mt19937_64 rng{SplitMix64(mixed)()};
  Image image{options_.size, options_.size, {pixels.begin(), pixels.end()}};
  options_.augment(image, rng);
  require(image.height == options_.size && image.width == options_.size, "augmented image",
          std::to_string(options_.size) + " x " + std::to_string(options_.size) + " pixels",
          std::to_string(image.height) + " x " + std::to_string(image.width));
  require_size("bytes of an augmented image", pixels.size(), image.rgb.size());
  std::ranges::copy(image.rgb, pixels.begin());
}

void ImagePairs::load_signals(std::span<const Index> signals, View<std::uint8_t, 2> out) const {
  require_size("rows of the signals", signals.size(), out.extent(0));
  require_size("numbers in a signal", elements(), out.extent(1));
  for (const Index signal : signals) {
    require(signal < paths_.size(), "signal", "less than " + std::to_string(paths_.size()), signal);
  }
  const bool only_copies = !options_.augment && std::ranges::all_of(signals, [&](Index signal) {
    return signal < kept();
  });
  // Copying takes less time than starting a thread.
  const Parallel policy{only_copies ? 1 : options_.threads};
  for_each_piece(policy, signals.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t signal = signals[i];
      const std::span<std::uint8_t> place = out.row(i);
      if (signal < kept()) {
        std::ranges::copy(std::span(kept_).subspan(signal * elements(), elements()), place.begin());
      } else {
        others_.read((signal - kept()) * elements(), place);
      }
      if (options_.augment) augment(signals[i], place);
    }
  });
  if (options_.augment) ++draw_;
}

std::vector<BadImage> unreadable_images(std::span<const std::string> paths,
                                        const ImageLimits& limits, const Parallel& policy) {
  std::vector<std::vector<BadImage>> found(piece_count(policy, paths.size(), 1));
  for_each_piece(
      policy, paths.size(), 1, [&](std::size_t piece, std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          try {
            (void)read_image(paths[i], limits);
          } catch (const FileError& error) {
            found[piece].push_back({.index = i, .path = paths[i], .problem = error.what()});
          }
        }
      });
  std::vector<BadImage> bad;
  for (std::vector<BadImage>& part : found) {
    std::ranges::move(part, std::back_inserter(bad));
  }
  return bad;
}

}  // namespace unlearn::pairs
