// SPDX-License-Identifier: Apache-2.0
#include "clip/cleaning.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "clip/resize.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/detail/number_text.hpp"

namespace unlearn::clip {
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
Rectangle middle_of(const Picture& picture, const RandomCropOptions& options) {
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
  const double aspect = std::clamp(width / height, options.least_aspect, options.most_aspect);
  Rectangle part{.height = picture.height, .width = picture.width};
  if (aspect > width / height) {
    part.height =
        std::max<std::size_t>(1, static_cast<std::size_t>(std::nearbyint(width / aspect)));
  } else if (aspect < width / height) {
    part.width =
        std::max<std::size_t>(1, static_cast<std::size_t>(std::nearbyint(height * aspect)));
  }
  part.top = (picture.height - part.height) / 2;
  part.left = (picture.width - part.width) / 2;
  return part;
}

Rectangle random_part(const Picture& picture, const RandomCropOptions& options,
                      std::mt19937_64& rng) {
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
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
    part.top = uniform_below(picture.height - part.height + 1, rng);
    part.left = uniform_below(picture.width - part.width + 1, rng);
    return part;
  }
  return middle_of(picture, options);
}

Picture cut_out(const Picture& picture, const Rectangle& part) {
  Picture out{part.height, part.width, std::vector<std::uint8_t>(part.height * part.width * 3)};
  for (std::size_t y = 0; y < part.height; ++y) {
    std::copy_n(&picture.rgb[((part.top + y) * picture.width + part.left) * 3], part.width * 3,
                &out.rgb[y * part.width * 3]);
  }
  return out;
}

void require_range(const char* what, double least, double most, double limit) {
  const bool holds = least > 0 && least <= most && most <= limit;
  detail::require(holds, what,
                  limit < std::numeric_limits<double>::max()
                      ? "0 < least <= most <= " + detail::rounded_text(limit, 3)
                      : std::string("0 < least <= most"),
                  detail::rounded_text(least, 3) + " to " + detail::rounded_text(most, 3));
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
  detail::require(quality >= 1 && quality <= 100, "quality", "1 to 100", quality);
  return {.name = "jpeg " + std::to_string(quality), .picture = [quality](Picture& picture) {
            // The picture is here already: no limit of a stranger's file applies.
            const PictureLimits limits{.side = std::max(picture.height, picture.width),
                                       .pixels = picture.height * picture.width,
                                       .file_bytes = std::numeric_limits<std::size_t>::max()};
            picture = decode_picture(encode_jpeg(picture, quality), "a picture as JPEG", limits);
          }};
}

CleaningStage grayscale() {
  return {.name = "grayscale", .picture = [](Picture& picture) {
            for (std::size_t i = 0; i + 2 < picture.rgb.size(); i += 3) {
              const std::uint32_t luma = 19'595U * picture.rgb[i] + 38'470U * picture.rgb[i + 1] +
                                         7'471U * picture.rgb[i + 2] + 0x8000U;
              std::fill_n(&picture.rgb[i], 3, static_cast<std::uint8_t>(luma >> 16U));
            }
          }};
}

CleaningStage random_crop(const RandomCropOptions& options) {
  require_range("area of a random crop", options.least_area, options.most_area, 1);
  require_range("aspect ratio of a random crop", options.least_aspect, options.most_aspect,
                std::numeric_limits<double>::max());
  return {.name = "random-crop " + detail::rounded_text(options.least_area, 3) + " to " +
                  detail::rounded_text(options.most_area, 3),
          .augment = [options](Picture& picture, std::mt19937_64& rng) {
            const Rectangle part = random_part(picture, options, rng);
            picture = resize(cut_out(picture, part), picture.height, picture.width);
          }};
}

std::string clean_caption(const Cleaning& cleaning, std::string caption) {
  for (const CleaningStage& stage : cleaning) {
    if (stage.caption) stage.caption(caption);
  }
  return caption;
}

void clean_pictures(Cleaning cleaning, PicturePairsOptions& options) {
  const auto stages = std::make_shared<const Cleaning>(std::move(cleaning));
  options.prepare = nullptr;
  options.augment = nullptr;
  if (std::ranges::any_of(*stages, [](const auto& stage) { return bool{stage.picture}; })) {
    options.prepare = [stages](Picture& picture) {
      for (const CleaningStage& stage : *stages) {
        if (stage.picture) stage.picture(picture);
      }
    };
  }
  if (std::ranges::any_of(*stages, [](const auto& stage) { return bool{stage.augment}; })) {
    options.augment = [stages](Picture& picture, std::mt19937_64& rng) {
      for (const CleaningStage& stage : *stages) {
        if (stage.augment) stage.augment(picture, rng);
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

}  // namespace unlearn::clip
