// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pairs/files/scratch_file.hpp"
#include "pairs/images/image.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::pairs {

/// How ImagePairs reads and keeps its images.
struct ImagePairsOptions {
  std::size_t size = 64;  ///< side of the square that each image becomes, in pixels
  /// Memory for pixels. As many images as fit, from the first on, are kept in it; the others'
  /// pixels lie in a temporary file.
  std::size_t memory_bytes = std::size_t{2} << 30U;
  /// Where that file is; empty for the system's folder for temporary files ($TMPDIR, else /tmp).
  std::string scratch_folder{};
  unsigned threads = 0;  ///< that read images; 0 means one for each core
  ImageLimits limits{};
  /// Is told now and then, on the calling thread, how many of all images have been read.
  std::function<void(std::size_t done, std::size_t all)> progress{};
  /// Changes an image once, as it is decoded, before it is resized and kept; called from several
  /// threads at once.
  std::function<void(Image&)> prepare{};
  /// Changes an image of size · size pixels each time it is loaded, and leaves its size; called
  /// from several threads at once. The generator depends on `augment_seed`, the number of the draw
  /// (ImagePairs::set_draw()) and the image alone.
  std::function<void(Image&, std::mt19937_64&)> augment{};
  std::uint64_t augment_seed = 0;  ///< another seed, other augmentations
};

/// Image files with captions as image-caption rows: a PairSource on the pixel lattice.
///
/// A signal is clip_crop(prepare(image), size) as size · size · 3 bytes, [height, width,
/// channel]. Several rows may name one image. Each file is read once. The results are the same
/// for every `memory_bytes` and number of threads.
///
/// With an `augment` function, the k-th call of load_signals() gives what it makes of a signal in
/// draw k, and counts one up: then it is a source for training alone, as PairSource's requirement 6
/// (same arguments, same answer) holds only for the same draw, and load_signals() is not for
/// several threads at once. An image that is in a batch twice is the same there twice.
class ImagePairs {
 public:
  using sample_type = std::uint8_t;

  /// Reads every image once, so that a bad one is found before a run starts.
  ///
  /// @param image_paths the images: signal i is the i-th
  /// @param signal_of_row which image each row's caption belongs to
  /// @param captions each row's tokens, start and end token included
  /// @throws InvalidArgument when there is no row, the rows' two lists differ in length, a row
  /// names
  ///         an image that is not there, a caption is empty or has a negative token, or the size
  ///         is not in 1 to 16,384.
  /// @throws FileError for the first image in order that cannot be read (see
  ///         unreadable_images() for all of them), and when the disk has no room for the images
  ///         that memory has no room for.
  ImagePairs(std::vector<std::string> image_paths, std::vector<Index> signal_of_row,
             std::vector<std::vector<Token>> captions, ImagePairsOptions options = {});

  /// Image-caption pairs.
  [[nodiscard]] std::size_t rows() const { return signal_of_row_.size(); }
  /// Images.
  [[nodiscard]] std::size_t signals() const { return paths_.size(); }
  /// Numbers in one image: size · size · 3.
  [[nodiscard]] std::size_t elements() const { return options_.size * options_.size * 3; }
  /// Side of each image in pixels.
  [[nodiscard]] std::size_t size() const { return options_.size; }
  /// The file of image `signal`.
  [[nodiscard]] const std::string& path(Index signal) const { return paths_[signal]; }

  /// The image of a row.
  [[nodiscard]] Index signal_of(Index row) const { return signal_of_row_[row]; }
  /// The tokens of a row's caption.
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }

  /// Writes image signals[i] to row i of `out`, [signals.size(), elements()].
  /// @throws InvalidArgument when `out` has another shape, there is no such image, or `augment`
  /// has
  ///         changed an image's size.
  /// @throws FileError when the temporary file cannot be read
  void load_signals(std::span<const Index> signals, View<std::uint8_t, 2> out) const;

  /// The next call of load_signals() is draw number `draw` of `augment`; 0 at first. A training
  /// that is resumed sets the number of steps that it has taken.
  void set_draw(std::uint64_t draw) { draw_ = draw; }
  /// The number of the next draw.
  [[nodiscard]] std::uint64_t draw() const { return draw_; }

 private:
  [[nodiscard]] std::size_t kept() const { return kept_.size() / elements(); }
  void read_into(Index signal, std::span<std::uint8_t> out) const;
  void augment(Index signal, std::span<std::uint8_t> pixels) const;

  std::vector<std::string> paths_;
  std::vector<Index> signal_of_row_;
  std::vector<std::vector<Token>> captions_;
  ImagePairsOptions options_;
  std::vector<std::uint8_t> kept_;  ///< the first images, [kept, elements()]
  ScratchFile others_;              ///< the other images, [signals() - kept, elements()]
  mutable std::uint64_t draw_ =
      0;  ///< load_signals() is const, as what it draws from does not change
};

static_assert(PairSource<ImagePairs>);

/// An image that cannot be read, and why.
struct BadImage {
  std::size_t index = 0;  ///< in the list that was asked about
  std::string path{};
  std::string problem{};  ///< the message of read_image()

  friend bool operator==(const BadImage&, const BadImage&) = default;
};

/// Reads each image, and returns those for which read_image() throws FileError, in order.
/// @param policy how many threads read
[[nodiscard]] std::vector<BadImage> unreadable_images(std::span<const std::string> paths,
                                                      const ImageLimits& limits = {},
                                                      const Parallel& policy = parallel);

}  // namespace unlearn::pairs
