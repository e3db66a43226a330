// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "pairs/images/image.hpp"

namespace unlearn::pairs {

/// Bicubic interpolation with antialiasing, to the bit as Pillow's `resize((width, height),
/// BICUBIC)`.
///
/// Along an axis of n inputs and m outputs, with s = n/m and the filter's scale f = max(s, 1),
/// output i is the mean of the inputs j, weighted by k((j + 1/2 − (i + 1/2)s) / f) and normalised.
/// k is Keys' cubic kernel with a = −1/2:
///
///     k(x) = 3/2 |x|³ − 5/2 |x|² + 1           up to |x| = 1,
///            −1/2 |x|³ + 5/2 |x|² − 4|x| + 2   up to |x| = 2, else 0
///
/// Rows are resampled first, then columns; after each, values are rounded to 8 bits (halves up) and
/// cut off at 0 and 255. Weights are rounded to multiples of 2^-22.
/// Source: R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE ASSP
/// 29(6), 1981, equation (15).
/// @throws InvalidArgument when a side is 0, or `rgb` has not height · width · 3 bytes.
[[nodiscard]] Image resize(const Image& image, std::size_t height, std::size_t width);

/// resize() to a shorter side of `size` and a longer one of ⌊size · longer / shorter⌋, as
/// torchvision's `Resize(size)` does it.
/// @throws InvalidArgument as resize() does
[[nodiscard]] Image resize_shorter_side(const Image& image, std::size_t size);

/// The middle square of `size` · `size` pixels, as torchvision's `CenterCrop(size)` takes it: of a
/// remainder r, r/2 lie above and to the left, where half a pixel rounds to the even number.
/// @throws InvalidArgument when the image is smaller, or `rgb` has not height · width · 3 bytes.
[[nodiscard]] Image center_crop(const Image& image, std::size_t size);

/// center_crop(resize_shorter_side(image, size), size): what a CLIP model sees of an image. No
/// pixel is computed that the crop would take away.
/// @throws InvalidArgument as resize() does
[[nodiscard]] Image clip_crop(const Image& image, std::size_t size);

}  // namespace unlearn::pairs
