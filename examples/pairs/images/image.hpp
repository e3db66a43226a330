// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace unlearn::pairs {

/// Red, green and blue of each pixel, 8 bits each, as an image is seen: upright.
struct Image {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> rgb{};  ///< [height, width, 3]

  friend bool operator==(const Image&, const Image&) = default;
};

/// How large an image from a stranger may be. The numbers are checked against what a file's header
/// says, before memory is taken for pixels.
struct ImageLimits {
  std::size_t side = 16'384;                         ///< height and width, in pixels
  std::size_t pixels = 100'000'000;                  ///< height · width
  std::size_t file_bytes = std::size_t{512} << 20U;  ///< the compressed image
};

/// Decodes a JPEG, PNG or WebP image; its first bytes tell which of them it is.
///
/// The pixels are those that Pillow's `ImageOps.exif_transpose(image).convert("RGB")` gives: EXIF
/// orientations 2 to 8 are turned upright (an `Exif` marker in JPEG, a chunk in PNG and WebP; one
/// that cannot be read counts as 1), grey becomes three equal channels, a palette its colours, an
/// alpha channel is dropped without blending, of 16 bits the upper 8 remain. CMYK and YCCK JPEGs
/// are taken as Adobe writes them, inverted: each of c, m, y becomes round((255 − c)(255 − k) /
/// 255). Colour profiles and gamma are ignored. There is one exception: Pillow cuts grey pixels of
/// 16 bits off at 255, so that nearly all of them turn white; here their upper 8 bits remain, too.
///
/// @param name stands for the file in messages
/// @throws FileError when the bytes are none of the three; are truncated, even if only the end
///         marker is missing; are damaged in a way that the decoder notices; show an animation
///         (WebP; of an animated PNG the still image is read); or are larger than the limits.
[[nodiscard]] Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                                 const ImageLimits& limits = {});

/// Reads an image from a file; see decode_image().
/// @throws FileError as decode_image() does, and when the file cannot be read
[[nodiscard]] Image read_image(const std::string& path, const ImageLimits& limits = {});

/// Writes what encode_png() makes of an image. The file is there complete or not at all.
/// @throws InvalidArgument as encode_png() does
/// @throws FileError when it cannot be written; what stood at `path` before is then still there
void write_png(const std::string& path, const Image& image);

/// An image as PNG, without loss. The same pixels make the same bytes.
/// @throws InvalidArgument when `rgb` has not height · width · 3 bytes, or none; or a side is
/// beyond
///         1,000,000 pixels
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);

/// An image as JPEG: baseline, chroma at half the resolution, as most programs publish it.
///
/// @param quality 1 to 100, on the scale of the Independent JPEG Group
/// @throws InvalidArgument when `rgb` has not height · width · 3 bytes, or none; a side is beyond
///         65,500 pixels; or quality is out of range.
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace unlearn::pairs
