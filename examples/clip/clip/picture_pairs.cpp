// SPDX-License-Identifier: Apache-2.0
#include "clip/picture_pairs.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "clip/resize.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::clip {
namespace {

void require_rows(std::size_t pictures, std::span<const Index> signal_of_row,
                  std::span<const std::vector<Token>> captions) {
  detail::require(!signal_of_row.empty(), "rows", "at least one", 0);
  detail::require_size("captions", signal_of_row.size(), captions.size());
  detail::require(pictures <= std::numeric_limits<Index>::max(), "pictures",
                  "at most " + std::to_string(std::numeric_limits<Index>::max()), pictures);
  for (std::size_t row = 0; row < captions.size(); ++row) {
    const std::string place = "row " + std::to_string(row);
    detail::require(signal_of_row[row] < pictures, place + ", picture",
                    "less than " + std::to_string(pictures), signal_of_row[row]);
    detail::require(!captions[row].empty(), place + ", tokens", "at least one", 0);
    const Token least = std::ranges::min(captions[row]);
    detail::require(least >= 0, place + ", token", "at least 0", least);
  }
}

}  // namespace

PicturePairs::PicturePairs(std::vector<std::string> image_paths, std::vector<Index> signal_of_row,
                           std::vector<std::vector<Token>> captions, PicturePairsOptions options)
    : paths_(std::move(image_paths)),
      signal_of_row_(std::move(signal_of_row)),
      captions_(std::move(captions)),
      options_(std::move(options)) {
  static constexpr std::size_t largest = 16'384;
  detail::require(options_.size >= 1 && options_.size <= largest, "size",
                  "1 to " + std::to_string(largest), options_.size);
  require_rows(signals(), signal_of_row_, captions_);

  const std::size_t kept = std::min(signals(), options_.memory_bytes / elements());
  kept_.resize(kept * elements());
  if (kept < signals()) {
    others_ = ScratchFile(options_.scratch_folder, (signals() - kept) * elements());
  }
  const Parallel policy{options_.threads};
  // Long enough that threads seldom wait for each other, short enough to show progress.
  const std::size_t stretch = std::size_t{32} * policy.thread_count();
  for (std::size_t first = 0; first < signals(); first += stretch) {
    const std::size_t count = std::min(stretch, signals() - first);
    detail::for_each_piece(policy, count, 1, [&](std::size_t begin, std::size_t end) {
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

void PicturePairs::read_into(Index signal, std::span<std::uint8_t> out) const {
  Picture picture = read_picture(paths_[signal], options_.limits);
  if (options_.prepare) options_.prepare(picture);
  std::ranges::copy(clip_crop(picture, options_.size).rgb, out.begin());
}

void PicturePairs::augment(Index signal, std::span<std::uint8_t> pixels) const {
  // Neighbouring seeds, draws and pictures must not meet: each is mixed in with all its bits.
  std::uint64_t mixed = options_.augment_seed;
  for (const std::uint64_t next : {draw_, std::uint64_t{signal}}) {
    mixed = SplitMix64(mixed)() + next;
  }
  std::mt19937_64 rng{SplitMix64(mixed)()};
  Picture picture{options_.size, options_.size, {pixels.begin(), pixels.end()}};
  options_.augment(picture, rng);
  detail::require(picture.height == options_.size && picture.width == options_.size,
                  "augmented picture",
                  std::to_string(options_.size) + " x " + std::to_string(options_.size) + " pixels",
                  std::to_string(picture.height) + " x " + std::to_string(picture.width));
  detail::require_size("bytes of an augmented picture", pixels.size(), picture.rgb.size());
  std::ranges::copy(picture.rgb, pixels.begin());
}

void PicturePairs::load_signals(std::span<const Index> signals, View<std::uint8_t, 2> out) const {
  detail::require_size("rows of the signals", signals.size(), out.extent(0));
  detail::require_size("numbers in a signal", elements(), out.extent(1));
  for (const Index signal : signals) {
    detail::require(signal < paths_.size(), "signal", "less than " + std::to_string(paths_.size()),
                    signal);
  }
  const bool only_copies = !options_.augment && std::ranges::all_of(signals, [&](Index signal) {
    return signal < kept();
  });
  // A copy is over sooner than a thread has started.
  const Parallel policy{only_copies ? 1 : options_.threads};
  detail::for_each_piece(policy, signals.size(), 1, [&](std::size_t begin, std::size_t end) {
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

std::vector<BadPicture> unreadable_pictures(std::span<const std::string> paths,
                                            const PictureLimits& limits, const Parallel& policy) {
  std::vector<std::vector<BadPicture>> found(detail::piece_count(policy, paths.size(), 1));
  detail::for_each_piece(
      policy, paths.size(), 1, [&](std::size_t piece, std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          try {
            (void)read_picture(paths[i], limits);
          } catch (const FileError& error) {
            found[piece].push_back({.index = i, .path = paths[i], .problem = error.what()});
          }
        }
      });
  std::vector<BadPicture> bad;
  for (std::vector<BadPicture>& part : found) {
    std::ranges::move(part, std::back_inserter(bad));
  }
  return bad;
}

}  // namespace unlearn::clip
