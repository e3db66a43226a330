// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "pairs/images/image.hpp"
#include "pairs/images/image_pairs.hpp"

namespace unlearn::pairs {

/// One thing that somebody who suspects a protection does to published pairs before training on
/// them. Of the three functions, those that a stage does not need are empty. Each may be called
/// from several threads at once. A new stage is one function that returns one.
struct CleaningStage {
  std::string name{};  ///< with its numbers: "jpeg 75"
  /// Once, to the image as it is decoded.
  std::function<void(Image&)> image{};
  /// Each time an image is seen, to its size · size pixels, which it must leave as many.
  std::function<void(Image&, std::mt19937_64&)> augment{};
  /// Once, to the caption.
  std::function<void(std::string&)> caption{};
};

/// Stages in the order in which they are applied.
using Cleaning = std::vector<CleaningStage>;

/// Cuts the first min(n, w − 1) of a caption's w words off, with the space behind them: what a
/// trigger in front is defeated by. The last word always remains, so that no caption becomes empty:
/// empty ones would all be each other's match. Words are what ASCII white space separates.
[[nodiscard]] CleaningStage strip_words(std::size_t n);

/// Encodes each image as JPEG and decodes it again; see encode_jpeg().
/// @param quality 1 to 100
/// @throws InvalidArgument when it is out of range
[[nodiscard]] CleaningStage jpeg(int quality);

/// Gives each pixel three equal channels of ITU-R 601 luma, as Pillow's `convert("L")` rounds it:
/// ⌊(19595 r + 38470 g + 7471 b) / 2^16 + 1/2⌋.
[[nodiscard]] CleaningStage grayscale();

/// Which parts of an image random_crop() takes.
struct RandomCropOptions {
  double least_area = 0.5;        ///< of the image's own area
  double most_area = 1;           ///< the same
  double least_aspect = 3.0 / 4;  ///< width over height
  double most_aspect = 4.0 / 3;   ///< the same
};

/// Takes a random rectangle of each image, and resizes it (bicubic) to the image's height and
/// width, as torchvision's `RandomResizedCrop` does: for an area uniform in [least_area, most_area]
/// and an aspect ratio whose logarithm is uniform, both sides are rounded (halves to even); if they
/// fit, the place is uniform. After ten that do not fit, the middle of the image is taken, as
/// much of it as has an aspect ratio in the range.
/// @throws InvalidArgument unless 0 < least ≤ most, for both, and most_area ≤ 1
[[nodiscard]] CleaningStage random_crop(const RandomCropOptions& options = {});

/// A caption after all stages.
[[nodiscard]] std::string clean_caption(const Cleaning& cleaning, std::string caption);

/// Lets `options` prepare and augment images by all stages that do so; `options.augment_seed` is
/// the caller's to set. What the two functions were before is replaced.
void clean_images(Cleaning cleaning, ImagePairsOptions& options);

/// The names, with commas between them; "none" for no stage.
[[nodiscard]] std::string names_of(const Cleaning& cleaning);

}  // namespace unlearn::pairs
