// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

/// One axis of a resampling: `inputs` pixels become `outputs` pixels. Only the outputs
/// [first, first + count) are computed.
struct Axis {
  std::size_t inputs;
  std::size_t outputs;
  std::size_t first;
  std::size_t count;

  [[nodiscard]] bool changes_nothing() const { return inputs == outputs && count == outputs; }
};

Axis whole(std::size_t inputs, std::size_t outputs) {
  return {.inputs = inputs, .outputs = outputs, .first = 0, .count = outputs};
}

/// The middle `size` outputs: they start at (outputs - size) / 2, rounded like Python's round().
Axis middle(std::size_t inputs, std::size_t outputs, std::size_t size) {
  const std::size_t spare = outputs - size;
  const std::size_t half = spare / 2;
  const bool up = spare % 2 == 1 && half % 2 == 1;
  return {.inputs = inputs, .outputs = outputs, .first = half + (up ? 1 : 0), .count = size};
}

/// Keys' cubic kernel with a = -1/2.
double keys_kernel(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((2.5 - 0.5 * x) * x - 4) * x + 2;
  return 0;
}

constexpr int fraction_bits = 22;
constexpr std::int32_t one_half = 1 << (fraction_bits - 1);

std::uint8_t to_level(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp(fixed >> fraction_bits, 0, 255));
}

/// An output is the weighted mean of the inputs [begin, begin + weights.size()).
struct Window {
  std::size_t begin;
  std::span<const std::int32_t> weights;  ///< in units of 2^-22
};

/// The windows of the outputs of an axis.
class Windows {
 public:
  explicit Windows(const Axis& axis) {
    const double step = static_cast<double>(axis.inputs) / static_cast<double>(axis.outputs);
    const double stretch = std::max(step, 1.0);
    const double reach = 2 * stretch;
    const double inverse = 1 / stretch;
    std::vector<double> weights;
    begins_.reserve(axis.count);
    ends_.reserve(axis.count);
    for (std::size_t i = axis.first; i < axis.first + axis.count; ++i) {
      const double centre = (static_cast<double>(i) + 0.5) * step;
      const auto begin = static_cast<std::size_t>(std::max(std::floor(centre - reach + 0.5), 0.0));
      const auto end =
          std::min(static_cast<std::size_t>(std::floor(centre + reach + 0.5)), axis.inputs);
      weights.clear();
      double sum = 0;
      for (std::size_t j = begin; j < end; ++j) {
        weights.push_back(keys_kernel((static_cast<double>(j) - centre + 0.5) * inverse));
        sum += weights.back();
      }
      for (const double weight : weights) {
        fixed_.push_back(
            static_cast<std::int32_t>(std::lround(weight / sum * (1 << fraction_bits))));
      }
      begins_.push_back(begin);
      ends_.push_back(fixed_.size());
    }
  }

  [[nodiscard]] Window operator[](std::size_t i) const {
    const std::size_t start = i == 0 ? 0 : ends_[i - 1];
    return {.begin = begins_[i], .weights = std::span(fixed_).subspan(start, ends_[i] - start)};
  }
  [[nodiscard]] std::size_t size() const { return begins_.size(); }

 private:
  std::vector<std::size_t> begins_;
  std::vector<std::size_t> ends_;  ///< where the weights of each window end in `fixed_`
  std::vector<std::int32_t> fixed_;
};

/// Resamples the rows [first, first + count). The result has only these rows.
Image resample_rows(const Image& in, const Axis& axis, std::size_t first, std::size_t count) {
  const Windows windows(axis);
  Image out = blank_image(count, windows.size());
  std::uint8_t* target = out.rgb.data();
  for (std::size_t y = first; y < first + count; ++y) {
    const std::uint8_t* const row = &in.rgb[y * in.width * 3];
    for (std::size_t x = 0; x < windows.size(); ++x) {
      const Window window = windows[x];
      const std::uint8_t* pixel = row + window.begin * 3;
      std::int32_t red = one_half;
      std::int32_t green = one_half;
      std::int32_t blue = one_half;
      for (const std::int32_t weight : window.weights) {
        red += weight * pixel[0];
        green += weight * pixel[1];
        blue += weight * pixel[2];
        pixel += 3;
      }
      *target++ = to_level(red);
      *target++ = to_level(green);
      *target++ = to_level(blue);
    }
  }
  return out;
}

/// Resamples all columns. Row 0 of `in` is input `first` of the windows.
Image resample_columns(const Image& in, const Windows& windows, std::size_t first) {
  const std::size_t length = in.width * 3;
  Image out = blank_image(windows.size(), in.width);
  std::vector<std::int32_t> sums(length);
  for (std::size_t y = 0; y < windows.size(); ++y) {
    const Window window = windows[y];
    std::ranges::fill(sums, one_half);
    const std::uint8_t* row = &in.rgb[(window.begin - first) * length];
    for (const std::int32_t weight : window.weights) {
      for (std::size_t x = 0; x < length; ++x) sums[x] += weight * row[x];
      row += length;
    }
    std::ranges::transform(sums, &out.rgb[y * length], to_level);
  }
  return out;
}

Image resample(const Image& image, const Axis& vertical, const Axis& horizontal) {
  if (vertical.changes_nothing()) {
    if (horizontal.changes_nothing()) return image;
    return resample_rows(image, horizontal, 0, image.height);
  }
  const Windows windows(vertical);
  if (horizontal.changes_nothing()) return resample_columns(image, windows, 0);
  const std::size_t first = windows[0].begin;
  const Window last = windows[windows.size() - 1];
  const std::size_t end = last.begin + last.weights.size();
  return resample_columns(resample_rows(image, horizontal, first, end - first), windows, first);
}

/// Height and width of the image after its shorter side was resized to `size`.
std::pair<std::size_t, std::size_t> with_shorter_side(const Image& image, std::size_t size) {
  require_pixels(image);
  require(size > 0, "size", "at least 1", size);
  const auto [shorter, longer] = std::minmax(image.height, image.width);
  const std::size_t length = size * longer / shorter;
  return image.height <= image.width ? std::pair(size, length) : std::pair(length, size);
}

}  // namespace

Image resize(const Image& image, std::size_t height, std::size_t width) {
  require_pixels(image);
  require(height > 0 && width > 0, "size", "at least 1 x 1",
          std::to_string(height) + " x " + std::to_string(width));
  return resample(image, whole(image.height, height), whole(image.width, width));
}

Image resize_shorter_side(const Image& image, std::size_t size) {
  const auto [height, width] = with_shorter_side(image, size);
  return resize(image, height, width);
}

Image center_crop(const Image& image, std::size_t size) {
  require_pixels(image);
  const std::size_t shorter = std::min(image.height, image.width);
  require(size >= 1 && size <= shorter, "size of a crop", "1 to " + std::to_string(shorter), size);
  const std::size_t top = middle(image.height, image.height, size).first;
  const std::size_t left = middle(image.width, image.width, size).first;
  Image crop = blank_image(size, size);
  for (std::size_t y = 0; y < size; ++y) {
    std::copy_n(&image.rgb[((top + y) * image.width + left) * 3], size * 3,
                &crop.rgb[y * size * 3]);
  }
  return crop;
}

Image clip_crop(const Image& image, std::size_t size) {
  const auto [height, width] = with_shorter_side(image, size);
  return resample(image, middle(image.height, height, size), middle(image.width, width, size));
}

}  // namespace unlearn::pairs
