// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "pairs/images/image.hpp"

namespace unlearn::pairs {

/// Bicubic interpolation with antialiasing. Equals Pillow's `resize((width, height), BICUBIC)` bit
/// for bit.
///
/// Along an axis of n inputs and m outputs, with s = n/m and the filter's scale f = max(s, 1),
/// output i is the mean of the inputs j, weighted by k((j + 1/2 − (i + 1/2)s) / f) and normalised.
/// k is Keys' cubic kernel with a = −1/2:
///
///     k(x) = 3/2 |x|³ − 5/2 |x|² + 1           up to |x| = 1,
///            −1/2 |x|³ + 5/2 |x|² − 4|x| + 2   up to |x| = 2, else 0
///
/// Rows are resampled first, then columns. After each of them, values are rounded to integers
/// (halves up) and clipped to 0 and 255. Weights are rounded to multiples of 2^-22. Source: R. G.
/// Keys, "Cubic convolution interpolation for digital image processing", IEEE ASSP 29(6), 1981,
/// equation (15).
/// @param height, width of the result, in pixels
/// @returns the resized image
/// @throws InvalidArgument when a side is 0, or `rgb` does not have height · width · 3 bytes
[[nodiscard]] Image resize(const Image& image, std::size_t height, std::size_t width);

/// Resizes the shorter side to `size` pixels and the longer one to ⌊size · longer / shorter⌋, as
/// torchvision's `Resize(size)` does.
/// @returns the resized image
/// @throws InvalidArgument as resize() does
[[nodiscard]] Image resize_shorter_side(const Image& image, std::size_t size);

/// The middle square of `size` · `size` pixels, as torchvision's `CenterCrop(size)` takes it. Of r
/// pixels that are cut off along an axis, r/2 are above or to the left; half a pixel rounds to
/// even.
/// @returns the square
/// @throws InvalidArgument when the image is smaller, or has the wrong number of bytes
[[nodiscard]] Image center_crop(const Image& image, std::size_t size);

/// center_crop(resize_shorter_side(image, size), size): the part of an image that a CLIP model
/// sees. Pixels outside the crop are not computed.
/// @returns the square of `size` · `size` pixels
/// @throws InvalidArgument as resize() does
[[nodiscard]] Image clip_crop(const Image& image, std::size_t size);

}  // namespace unlearn::pairs
