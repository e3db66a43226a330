// SPDX-License-Identifier: Apache-2.0
#include "pairs/cleaning/cleaning.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "pairs/images/resize.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::pairs {
namespace {

constexpr std::string_view white_space = " \t\n\v\f\r";

/// Where the word behind the one at `start` begins; npos if there is none.
std::size_t next_word(std::string_view text, std::size_t start) {
  return text.find_first_not_of(white_space, text.find_first_of(white_space, start));
}

/// Uniform in [low, high].
double uniform_between(double low, double high, std::mt19937_64& rng) {
  constexpr int digits = std::numeric_limits<double>::digits;
  const auto fraction = static_cast<double>(random_bits(rng) >> (64 - digits));
  return low + (high - low) * std::ldexp(fraction, -digits);
}

struct Rectangle {
  std::size_t top = 0;
  std::size_t left = 0;
  std::size_t height = 0;
  std::size_t width = 0;
};

/// The largest rectangle in the middle with an aspect ratio in the range.
Rectangle middle_of(const Image& image, const RandomCropOptions& options) {
  const auto height = static_cast<double>(image.height);
  const auto width = static_cast<double>(image.width);
  const double aspect = std::clamp(width / height, options.least_aspect, options.most_aspect);
  Rectangle part{.height = image.height, .width = image.width};
  if (aspect > width / height) {
    part.height =
        std::max<std::size_t>(1, static_cast<std::size_t>(std::nearbyint(width / aspect)));
  } else if (aspect < width / height) {
    part.width =
        std::max<std::size_t>(1, static_cast<std::size_t>(std::nearbyint(height * aspect)));
  }
  part.top = (image.height - part.height) / 2;
  part.left = (image.width - part.width) / 2;
  return part;
}

Rectangle random_part(const Image& image, const RandomCropOptions& options, std::mt19937_64& rng) {
  const auto height = static_cast<double>(image.height);
  const auto width = static_cast<double>(image.width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area =
        height * width * uniform_between(options.least_area, options.most_area, rng);
    const double aspect = std::exp(
        uniform_between(std::log(options.least_aspect), std::log(options.most_aspect), rng));
    const double part_width = std::nearbyint(std::sqrt(area * aspect));
    const double part_height = std::nearbyint(std::sqrt(area / aspect));
    if (part_width < 1 || part_width > width || part_height < 1 || part_height > height) continue;
    Rectangle part{.height = static_cast<std::size_t>(part_height),
                   .width = static_cast<std::size_t>(part_width)};
    part.top = uniform_below(image.height - part.height + 1, rng);
    part.left = uniform_below(image.width - part.width + 1, rng);
    return part;
  }
  return middle_of(image, options);
}

Image cut_out(const Image& image, const Rectangle& part) {
  Image out{part.height, part.width, std::vector<std::uint8_t>(part.height * part.width * 3)};
  for (std::size_t y = 0; y < part.height; ++y) {
    std::copy_n(&image.rgb[((part.top + y) * image.width + part.left) * 3], part.width * 3,
                &out.rgb[y * part.width * 3]);
  }
  return out;
}

void require_range(const char* what, double least, double most, double limit) {
  const bool holds = least > 0 && least <= most && most <= limit;
  require(holds, what,
          limit < std::numeric_limits<double>::max()
              ? "0 < least <= most <= " + rounded_text(limit, 3)
              : std::string("0 < least <= most"),
          rounded_text(least, 3) + " to " + rounded_text(most, 3));
}

}  // namespace

CleaningStage strip_words(std::size_t n) {
  return {.name = "strip-words " + std::to_string(n), .caption = [n](std::string& caption) {
            std::size_t start = caption.find_first_not_of(white_space);
            if (start == std::string::npos) return;
            for (std::size_t word = 0; word < n; ++word) {
              const std::size_t next = next_word(caption, start);
              if (next == std::string::npos) break;
              start = next;
            }
            if (n > 0) caption.erase(0, start);
          }};
}

CleaningStage jpeg(int quality) {
  require(quality >= 1 && quality <= 100, "quality", "1 to 100", quality);
  return {.name = "jpeg " + std::to_string(quality), .image = [quality](Image& image) {
            // The image is here already: no limit of a stranger's file applies.
            const ImageLimits limits{.side = std::max(image.height, image.width),
                                     .pixels = image.height * image.width,
                                     .file_bytes = std::numeric_limits<std::size_t>::max()};
            image = decode_image(encode_jpeg(image, quality), "an image as JPEG", limits);
          }};
}

CleaningStage grayscale() {
  return {.name = "grayscale", .image = [](Image& image) {
            for (std::size_t i = 0; i + 2 < image.rgb.size(); i += 3) {
              const std::uint32_t luma = 19'595U * image.rgb[i] + 38'470U * image.rgb[i + 1] +
                                         7'471U * image.rgb[i + 2] + 0x8000U;
              std::fill_n(&image.rgb[i], 3, static_cast<std::uint8_t>(luma >> 16U));
            }
          }};
}

CleaningStage random_crop(const RandomCropOptions& options) {
  require_range("area of a random crop", options.least_area, options.most_area, 1);
  require_range("aspect ratio of a random crop", options.least_aspect, options.most_aspect,
                std::numeric_limits<double>::max());
  return {.name = "random-crop " + rounded_text(options.least_area, 3) + " to " +
                  rounded_text(options.most_area, 3),
          .augment = [options](Image& image, std::mt19937_64& rng) {
            const Rectangle part = random_part(image, options, rng);
            image = resize(cut_out(image, part), image.height, image.width);
          }};
}

std::string clean_caption(const Cleaning& cleaning, std::string caption) {
  for (const CleaningStage& stage : cleaning) {
    if (stage.caption) stage.caption(caption);
  }
  return caption;
}

void clean_images(Cleaning cleaning, ImagePairsOptions& options) {
  const auto stages = std::make_shared<const Cleaning>(std::move(cleaning));
  options.prepare = nullptr;
  options.augment = nullptr;
  if (std::ranges::any_of(*stages, [](const auto& stage) { return bool{stage.image}; })) {
    options.prepare = [stages](Image& image) {
      for (const CleaningStage& stage : *stages) {
        if (stage.image) stage.image(image);
      }
    };
  }
  if (std::ranges::any_of(*stages, [](const auto& stage) { return bool{stage.augment}; })) {
    options.augment = [stages](Image& image, std::mt19937_64& rng) {
      for (const CleaningStage& stage : *stages) {
        if (stage.augment) stage.augment(image, rng);
      }
    };
  }
}

std::string names_of(const Cleaning& cleaning) {
  std::string names;
  for (const CleaningStage& stage : cleaning) {
    names.append(names.empty() ? "" : ", ").append(stage.name);
  }
  return names.empty() ? "none" : names;
}

}  // namespace unlearn::pairs
