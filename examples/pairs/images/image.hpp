// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace unlearn::pairs {

/// An upright image: red, green and blue of each pixel, 8 bits each.
struct Image {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> rgb{};  ///< [height, width, 3]

  friend bool operator==(const Image&, const Image&) = default;
};

/// A black image.
[[nodiscard]] Image blank_image(std::size_t height, std::size_t width);

/// Checks that an image has pixels.
/// @throws InvalidArgument when a side is 0, or `rgb` does not have height · width · 3 bytes
void require_pixels(const Image& image);

/// How large an image from an unknown source may be. The file's header is checked against these
/// limits before memory is allocated for pixels.
struct ImageLimits {
  std::size_t side = 16'384;                         ///< height and width, in pixels
  std::size_t pixels = 100'000'000;                  ///< height · width
  std::size_t file_bytes = std::size_t{512} << 20U;  ///< size of the compressed image
};

/// Decodes a JPEG, PNG or WebP image. The format is detected from its first bytes.
///
/// The pixels are those of Pillow's `ImageOps.exif_transpose(image).convert("RGB")`:
///  - images with EXIF orientations 2 to 8 are turned upright. The orientation is in an `Exif`
///    marker (JPEG) or a chunk (PNG, WebP); one that cannot be read counts as 1;
///  - grey becomes three equal channels, and palettes are replaced by their colours;
///  - an alpha channel is dropped without blending;
///  - of 16 bits, the upper 8 are kept;
///  - CMYK and YCCK JPEGs are read as Adobe writes them, inverted: each of c, m, y becomes
///    round((255 − c)(255 − k) / 255);
///  - colour profiles and gamma are ignored.
///
/// There is one difference. Pillow clips 16-bit grey at 255, so that nearly all pixels become
/// white; here the upper 8 bits are kept.
///
/// @param bytes  the compressed image
/// @param name   the file's name, for messages
/// @param limits how large the image may be
/// @returns the image, upright
/// @throws FileError when the bytes are not a JPEG, PNG or WebP image; are truncated, even if only
///         the end marker is missing; are damaged in a way that the decoder notices; are an
///         animated WebP (an animated PNG is read as its still image); or are larger than the
///         limits
[[nodiscard]] Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                                 const ImageLimits& limits = {});

/// Reads an image from a file; see decode_image().
/// @returns the image, upright
/// @throws FileError as decode_image() does, and when the file cannot be read
[[nodiscard]] Image read_image(const std::string& path, const ImageLimits& limits = {});

/// Writes an image as PNG; see encode_png(). The file is written completely or not at all.
/// @throws InvalidArgument as encode_png() does
/// @throws FileError when it cannot be written; an earlier file at `path` is then unchanged
void write_png(const std::string& path, const Image& image);

/// Encodes an image as PNG, without loss. The same pixels give the same bytes.
/// @returns the file's bytes
/// @throws InvalidArgument when the image has no pixels, `rgb` does not have
///         height · width · 3 bytes, or a side is longer than 1,000,000 pixels
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);

/// Encodes an image as most programs publish it: baseline JPEG, chroma at half the resolution.
///
/// @param quality 1 to 100, on the scale of the Independent JPEG Group
/// @returns the file's bytes
/// @throws InvalidArgument when the image has no pixels, `rgb` does not have
///         height · width · 3 bytes, a side is longer than 65,500 pixels, or the quality is out of
///         range
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace unlearn::pairs
