// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/images/image.hpp"
#include "pairs/scenes/scene.hpp"

namespace unlearn::pairs {

/// How many images and captions are drawn, and what they look like.
struct DrawnScenesOptions {
  std::size_t train = 2000;            ///< number of training images
  std::size_t test = 500;              ///< number of test images
  std::size_t captions_per_image = 2;  ///< 1 to 10
  std::size_t size = 32;               ///< side of the images in pixels, 8 to 1,024
  int contrast = 100;                  ///< percent, 1 to 100; low contrast looks like fog
  std::uint64_t seed = 1;              ///< another seed gives other scenes
};

/// A data set of drawn images with captions, for trying things out without real data.
///
/// No two images show the same scene, in either split, and no caption occurs twice. So a test image
/// can be retrieved by its captions, and was not seen in training. Every word of a test caption
/// occurs in a training caption.
///
/// The same options give the same captions and pixels on every machine.
class DrawnScenes {
 public:
  /// Draws the scenes and the captions. Images are rendered later, by image().
  /// @throws InvalidArgument for a number out of range, more than 99,999 images, or so few
  ///         training images that their captions lack the words for test captions
  explicit DrawnScenes(const DrawnScenesOptions& options = {});

  /// The number of images: first the training images, then the test images.
  [[nodiscard]] std::size_t size() const { return scenes_.size(); }
  /// The scene that image i shows.
  [[nodiscard]] const Scene& scene(std::size_t i) const { return scenes_.at(i).scene; }
  /// The captions of image i, all different.
  [[nodiscard]] const std::vector<std::string>& captions(std::size_t i) const {
    return scenes_.at(i).captions;
  }
  /// The split of image i: `train` or `test`.
  [[nodiscard]] std::string_view split(std::size_t i) const {
    return i < options_.train ? "train" : "test";
  }
  /// Renders image i by render(), then reduces its contrast.
  [[nodiscard]] Image image(std::size_t i) const;

  /// Writes `images/00001.png` and so on, then `captions.csv`. Every file is written completely or
  /// not at all, so a folder with `captions.csv` has everything.
  /// @param folder   created if it does not exist
  /// @param progress called after each image with the number of images that are written
  /// @throws FileError when the folder is not empty, or cannot be written
  void write(const std::string& folder,
             const std::function<void(std::size_t done, std::size_t all)>& progress = {}) const;

 private:
  struct Drawn {
    Scene scene;
    std::uint64_t seed = 0;
    std::vector<std::string> captions;
  };

  DrawnScenesOptions options_;
  std::vector<Drawn> scenes_;
};

}  // namespace unlearn::pairs
