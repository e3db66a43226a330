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

struct DrawnScenesOptions {
  std::size_t train = 2000;            ///< images to train on
  std::size_t test = 500;              ///< images to evaluate on
  std::size_t captions_per_image = 2;  ///< 1 to 10
  std::size_t size = 32;               ///< side of the images in pixels, 8 to 1,024
  int contrast = 100;                  ///< percent, 1 to 100: as if seen through fog
  std::uint64_t seed = 1;
};

/// A set of drawn images with captions, to try things out where no real one is at hand.
///
/// No two images show the same scene, in whatever split they are, and no caption occurs twice; so
/// a test image can be found by its captions, and has not been seen in training. Every word of a
/// test caption occurs in a training caption.
///
/// The same options give the same captions and pixels on every machine.
class DrawnScenes {
 public:
  /// Draws the scenes and the captions; images are rendered when they are asked for.
  /// @throws InvalidArgument for a number out of range, more than 99,999 images, or so few
  ///         training images that the test captions find no words
  explicit DrawnScenes(const DrawnScenesOptions& options = {});

  /// Images: first those to train on, then those to evaluate on.
  [[nodiscard]] std::size_t size() const { return scenes_.size(); }
  /// What image i shows.
  [[nodiscard]] const Scene& scene(std::size_t i) const { return scenes_.at(i).scene; }
  /// Its captions, each another one.
  [[nodiscard]] const std::vector<std::string>& captions(std::size_t i) const {
    return scenes_.at(i).captions;
  }
  /// `train` or `test`.
  [[nodiscard]] std::string_view split(std::size_t i) const {
    return i < options_.train ? "train" : "test";
  }
  /// Renders it: what render() gives, brought closer to mid-grey by the contrast.
  [[nodiscard]] Image image(std::size_t i) const;

  /// Writes `images/00001.png` and so on, and then `captions.csv`, image by image, into a
  /// folder that is made where it is not there. Each file is complete or not there: a folder with
  /// `captions.csv` has everything.
  /// @param progress is told after each image how many are written
  /// @throws FileError when there is something in the folder, or it cannot be written
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
