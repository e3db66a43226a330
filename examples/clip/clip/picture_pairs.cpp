// SPDX-License-Identifier: Apache-2.0
#include "clip/picture_pairs.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "clip/resize.hpp"
#include "unlearn/core/error.hpp"

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
  const Parallel policy{options_.threads};
  // Long enough that threads seldom wait for each other, short enough to show progress.
  const std::size_t stretch = std::size_t{32} * policy.thread_count();
  for (std::size_t first = 0; first < signals(); first += stretch) {
    const std::size_t count = std::min(stretch, signals() - first);
    detail::for_each_piece(policy, count, 1, [&](std::size_t begin, std::size_t end) {
      std::vector<std::uint8_t> passing(elements());
      for (std::size_t i = first + begin; i < first + end; ++i) {
        const auto place =
            i < kept ? std::span(kept_).subspan(i * elements(), elements()) : std::span(passing);
        read_into(static_cast<Index>(i), place);
      }
    });
    if (options_.progress) options_.progress(first + count, signals());
  }
}

void PicturePairs::read_into(Index signal, std::span<std::uint8_t> out) const {
  const Picture picture = clip_crop(read_picture(paths_[signal], options_.limits), options_.size);
  std::ranges::copy(picture.rgb, out.begin());
}

void PicturePairs::load_signals(std::span<const Index> signals, View<std::uint8_t, 2> out) const {
  detail::require_size("rows of the signals", signals.size(), out.extent(0));
  detail::require_size("numbers in a signal", elements(), out.extent(1));
  for (const Index signal : signals) {
    detail::require(signal < paths_.size(), "signal", "less than " + std::to_string(paths_.size()),
                    signal);
  }
  const std::size_t kept = kept_.size() / elements();
  const bool all_kept = std::ranges::all_of(signals, [&](Index signal) { return signal < kept; });
  // A copy is over sooner than a thread has started.
  const Parallel policy{all_kept ? 1 : options_.threads};
  detail::for_each_piece(policy, signals.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (signals[i] < kept) {
        std::ranges::copy(std::span(kept_).subspan(signals[i] * elements(), elements()),
                          out.row(i).begin());
      } else {
        read_into(signals[i], out.row(i));
      }
    }
  });
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
