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
  /// Memory for pixels, in bytes. The first images are kept in it, as many as fit. The pixels of
  /// the others are in a temporary file.
  std::size_t memory_bytes = std::size_t{2} << 30U;
  /// Folder of that file; empty for the system's folder for temporary files ($TMPDIR, else /tmp).
  std::string scratch_folder{};
  unsigned threads = 0;  ///< number of threads that read images; 0 means one per core
  ImageLimits limits{};  ///< how large an image may be
  /// Reports from time to time, on the calling thread, how many images have been read.
  std::function<void(std::size_t done, std::size_t all)> progress{};
  /// Changes an image once, after it was decoded and before it is resized. Several threads call it
  /// at once.
  std::function<void(Image&)> prepare{};
  /// Changes an image of size · size pixels each time it is loaded; must not change its size.
  /// Several threads call it at once. The generator depends only on `augment_seed`, the number of
  /// the draw (ImagePairs::set_draw()) and the image.
  std::function<void(Image&, std::mt19937_64&)> augment{};
  std::uint64_t augment_seed = 0;  ///< another seed gives other augmentations
};

/// Image files with captions, as image-caption rows. A PairSource of 8-bit pixels.
///
/// A signal is clip_crop(prepare(image), size) as size · size · 3 bytes, [height, width,
/// channel]. Several rows may have the same image. Each file is read once. The results do not
/// depend on `memory_bytes` or the number of threads.
///
/// With an `augment` function, each call of load_signals() returns augmented images, and increments
/// the number of the draw. Such a source is suitable for training only: PairSource's requirement 6
/// (same arguments, same result) holds only for equal draws, and only one thread at a time may call
/// load_signals(). If an image is in a batch twice, both copies are augmented in the same way.
class ImagePairs {
 public:
  using sample_type = std::uint8_t;

  /// Reads every image once, so that a bad one is found before a run starts.
  ///
  /// @param image_paths   the image files; signal i is the i-th
  /// @param signal_of_row the image of each row, as an index
  /// @param captions      the tokens of each row, with start and end
  /// @param options       how images are read and kept
  /// @throws InvalidArgument when there is no row, `signal_of_row` and `captions` differ in length,
  ///         a row has an image that does not exist, a caption is empty or has a negative token, or
  ///         the size is not in 1 to 16,384
  /// @throws FileError for the first image that cannot be read (see unreadable_images() for all of
  ///         them), and when the disk has no room for the temporary file
  ImagePairs(std::vector<std::string> image_paths, std::vector<Index> signal_of_row,
             std::vector<std::vector<Token>> captions, ImagePairsOptions options = {});

  /// The number of image-caption pairs.
  [[nodiscard]] std::size_t rows() const { return signal_of_row_.size(); }
  /// The number of images.
  [[nodiscard]] std::size_t signals() const { return paths_.size(); }
  /// The number of bytes in one image: size · size · 3.
  [[nodiscard]] std::size_t elements() const { return options_.size * options_.size * 3; }
  /// The side of each image in pixels.
  [[nodiscard]] std::size_t size() const { return options_.size; }
  /// The file of image `signal`.
  [[nodiscard]] const std::string& path(Index signal) const { return paths_[signal]; }

  /// The image of a row.
  [[nodiscard]] Index signal_of(Index row) const { return signal_of_row_[row]; }
  /// The tokens of a row's caption.
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }

  /// Writes image signals[i] to row i of `out`.
  /// @param signals indices of images
  /// @param out     [signals.size(), elements()]
  /// @throws InvalidArgument when `out` has another shape, an image does not exist, or `augment`
  ///         changed the size of an image
  /// @throws FileError when the temporary file cannot be read
  void load_signals(std::span<const Index> signals, View<std::uint8_t, 2> out) const;

  /// Sets the number of the next draw, which is 0 at first. To resume a training run, set it to the
  /// number of steps that were taken.
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
  /// Mutable, since load_signals() is const: the images that it draws from do not change.
  mutable std::uint64_t draw_ = 0;
};

static_assert(PairSource<ImagePairs>);

/// An image that cannot be read, and why.
struct BadImage {
  std::size_t index = 0;  ///< in the list of paths
  std::string path{};
  std::string problem{};  ///< the message of read_image()

  friend bool operator==(const BadImage&, const BadImage&) = default;
};

/// Reads all images, and finds those that cannot be read.
/// @param paths  the image files
/// @param limits how large an image may be
/// @param policy how many threads read
/// @returns the images for which read_image() throws FileError, in the order of `paths`
[[nodiscard]] std::vector<BadImage> unreadable_images(std::span<const std::string> paths,
                                                      const ImageLimits& limits = {},
                                                      const Parallel& policy = parallel);

}  // namespace unlearn::pairs
