// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/image.hpp"

#include <fcntl.h>
#include <libexif/exif-data.h>
#include <png.h>
#include <unistd.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

// jpeglib.h does not include what it needs.
#include <jerror.h>
#include <jpeglib.h>

#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

using Bytes = std::span<const std::byte>;

/// A compressed image, its name for messages, and its limits.
struct Source {
  Bytes bytes;
  const std::string& name;
  const ImageLimits& limits;

  [[nodiscard]] const unsigned char* data() const {
    return reinterpret_cast<const unsigned char*>(bytes.data());  // NOLINT(*-reinterpret-cast)
  }

  template <class Got>
  void require(bool holds, std::string_view what, std::string_view expected, const Got& got) const {
    require_in_file(holds, name, what, expected, got);
  }

  void require_within_limits(std::size_t height, std::size_t width) const {
    const auto in_words = [](std::size_t a, std::size_t b) {
      return std::to_string(a) + " x " + std::to_string(b);
    };
    require(height <= limits.side && width <= limits.side, "height x width in pixels",
            "at most " + in_words(limits.side, limits.side), in_words(height, width));
    require(height <= limits.pixels / std::max<std::size_t>(width, 1), "pixels",
            "at most " + std::to_string(limits.pixels), in_words(height, width));
  }
};

/// Where a C library reports an error. It cannot return errors, and exceptions cannot pass through
/// it.
struct Escape {
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};

  [[noreturn]] void with(std::string_view text) {
    message[text.copy(message.data(), message.size() - 1)] = '\0';
    std::longjmp(jump, 1);
  }
};

/// Runs `call`. The frames between here and an error are not unwound, so `call` must not create
/// objects that need a destructor.
/// @returns whether `call` completed; if not, `escape` has the message
template <class Call>
bool completes(Escape& escape, const Call& call) {
  if (setjmp(escape.jump) != 0) return false;  // NOLINT(*-err52-cpp): the libraries' own way out
  call();
  return true;
}

// --- Orientation

constexpr std::string_view exif_prefix("Exif\0\0", 6);

/// The orientation in an EXIF block that starts with `exif_prefix`; 1 if it has none.
int orientation_in(std::span<const unsigned char> exif) {
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(exif_data_new(),
                                                                   &exif_data_unref);
  if (!data) return 1;
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(data.get(), exif.data(), static_cast<unsigned>(exif.size()));
  const ExifEntry* const entry =
      exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  return exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
}

/// The same for a block without the prefix, as in PNG and WebP.
int orientation_in_bare(const unsigned char* exif, std::size_t size) {
  // The format has 16-bit lengths, and libexif does not read more either.
  std::vector<unsigned char> block(exif_prefix.begin(), exif_prefix.end());
  block.insert(block.end(), exif, exif + std::min<std::size_t>(size, 0xFFFF));
  return orientation_in(block);
}

/// Turns an image upright, according to its EXIF orientation.
Image upright(Image stored, int orientation) {
  if (orientation < 2 || orientation > 8) return stored;
  const bool transposed = orientation >= 5;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image seen = transposed ? blank_image(stored.width, stored.height)
                          : blank_image(stored.height, stored.width);
  auto out = seen.rgb.begin();
  for (std::size_t y = 0; y < seen.height; ++y) {
    for (std::size_t x = 0; x < seen.width; ++x) {
      std::size_t row = transposed ? x : y;
      std::size_t column = transposed ? y : x;
      if (from_bottom) row = stored.height - 1 - row;
      if (from_right) column = stored.width - 1 - column;
      out = std::copy_n(&stored.rgb[(row * stored.width + column) * 3], 3, out);
    }
  }
  return seen;
}

// --- JPEG

/// No encoder makes more scans. Each scan costs a pass over all pixels, even if it has few bytes.
constexpr int most_scans = 100;

Escape& escape_of(j_common_ptr jpeg) { return *static_cast<Escape*>(jpeg->client_data); }

[[noreturn]] void on_jpeg_error(j_common_ptr jpeg) {
  std::array<char, JMSG_LENGTH_MAX> text{};
  (*jpeg->err->format_message)(jpeg, text.data());
  escape_of(jpeg).with(text.data());
}

void on_jpeg_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    // These warnings do not affect pixels. After the others, libjpeg fills missing pixels with
    // grey.
    case JWRN_ADOBE_XFORM:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA: return;
    default: on_jpeg_error(jpeg);
  }
}

jpeg_error_mgr* quiet(jpeg_error_mgr& errors) {
  jpeg_std_error(&errors);
  errors.error_exit = on_jpeg_error;
  errors.emit_message = on_jpeg_message;
  return &errors;
}

struct JpegDecoder {
  JpegDecoder() = default;
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&jpeg); }

  Escape escape{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct jpeg{};
};

void on_jpeg_progress(j_common_ptr common) {
  // NOLINTNEXTLINE(*-reinterpret-cast): libjpeg's own way down from the common fields
  if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > most_scans) {
    escape_of(common).with("more scans than any encoder makes");
  }
}

/// Converts Adobe's inverted CMYK, four bytes per pixel, to RGB.
void light_of_inks(std::span<const std::uint8_t> inks, std::uint8_t* rgb) {
  for (std::size_t i = 0; i + 4 <= inks.size(); i += 4) {
    for (std::size_t c = 0; c < 3; ++c) {
      *rgb++ = static_cast<std::uint8_t>((inks[i + c] * inks[i + 3] + 127) / 255);
    }
  }
}

int orientation_of(const jpeg_decompress_struct& jpeg) {
  for (const jpeg_marker_struct* marker = jpeg.marker_list; marker != nullptr;
       marker = marker->next) {
    const std::span<const unsigned char> block(marker->data, marker->data_length);
    if (block.size() > exif_prefix.size() &&
        std::equal(exif_prefix.begin(), exif_prefix.end(), block.begin())) {
      return orientation_in(block);
    }
  }
  return 1;
}

Image decode_jpeg(const Source& source) {
  JpegDecoder decoder;
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  const auto complete = [&](const auto& call) {
    const bool completed = completes(decoder.escape, call);
    source.require(completed, "JPEG data", "a complete image",
                   std::string_view(decoder.escape.message.data()));
  };
  jpeg.err = quiet(decoder.errors);
  jpeg.client_data = &decoder.escape;
  complete([&] {
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, source.data(), source.bytes.size());
    jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg, TRUE);
  });
  source.require_within_limits(jpeg.image_height, jpeg.image_width);
  const int orientation = orientation_of(jpeg);  // the end of decoding frees the markers

  Image image = blank_image(jpeg.image_height, jpeg.image_width);
  const bool inks = jpeg.num_components == 4;
  jpeg.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  std::vector<std::uint8_t> ink_row(inks ? image.width * 4 : 0);
  decoder.progress.progress_monitor = on_jpeg_progress;
  jpeg.progress = &decoder.progress;
  complete([&] {
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      std::uint8_t* const rgb = image.rgb.data() + jpeg.output_scanline * image.width * 3;
      JSAMPROW row = inks ? ink_row.data() : rgb;
      jpeg_read_scanlines(&jpeg, &row, 1);
      if (inks) light_of_inks(ink_row, rgb);
    }
    jpeg_finish_decompress(&jpeg);
  });
  return upright(std::move(image), orientation);
}

// --- PNG

constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n";

struct PngDecoder {
  PngDecoder() = default;
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png, &info, nullptr); }

  Escape escape{};
  Bytes rest{};
  png_structp png = nullptr;
  png_infop info = nullptr;
};

void on_png_error(png_structp png, png_const_charp text) {
  static_cast<Escape*>(png_get_error_ptr(png))->with(text);
}

void on_png_warning(png_structp /*png*/, png_const_charp /*text*/) {}

void read_png_bytes(png_structp png, png_bytep out, std::size_t count) {
  Bytes& rest = *static_cast<Bytes*>(png_get_io_ptr(png));
  if (count > rest.size()) png_error(png, "the end of the data");
  std::memcpy(out, rest.data(), count);
  rest = rest.subspan(count);
}

Image decode_png(const Source& source) {
  PngDecoder decoder;
  decoder.rest = source.bytes;
  png_structp& png = decoder.png;
  png_infop& info = decoder.info;
  const auto complete = [&](const auto& call) {
    const bool completed = completes(decoder.escape, call);
    source.require(completed, "PNG data", "a complete image",
                   std::string_view(decoder.escape.message.data()));
  };
  complete([&] {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder.escape, on_png_error,
                                 on_png_warning);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    if (info == nullptr) decoder.escape.with("too little memory");
    png_set_read_fn(png, &decoder.rest, read_png_bytes);
    // Our own limits have a clearer message.
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Unused chunks are not decompressed: a small one can contain gigabytes.
    static constexpr std::array<png_byte, 25> unused{"iCCP\0iTXt\0sPLT\0tEXt\0zTXt"};
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, unused.data(), 5);
    png_read_info(png, info);
  });
  source.require_within_limits(png_get_image_height(png, info), png_get_image_width(png, info));

  Image image = blank_image(png_get_image_height(png, info), png_get_image_width(png, info));
  std::vector<png_bytep> rows(image.height);
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = &image.rgb[y * image.width * 3];
  png_uint_32 exif_size = 0;
  png_bytep exif = nullptr;
  complete([&] {
    const png_byte colours = png_get_color_type(png, info);
    if (colours == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if ((colours & PNG_COLOR_MASK_COLOR) == 0) {
      png_set_expand_gray_1_2_4_to_8(png);
      png_set_gray_to_rgb(png);
    }
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != image.width * 3) png_error(png, "other channels");
    png_read_image(png, rows.data());
    png_read_end(png, info);  // the chunk with the orientation may come after the pixels
    png_get_eXIf_1(png, info, &exif_size, &exif);
  });
  return upright(std::move(image), exif == nullptr ? 1 : orientation_in_bare(exif, exif_size));
}

// --- WebP

Image decode_webp(const Source& source) {
  WebPBitstreamFeatures features{};
  const bool has_header =
      WebPGetFeatures(source.data(), source.bytes.size(), &features) == VP8_STATUS_OK;
  source.require(has_header, "WebP header", "a complete one", "truncated or damaged data");
  source.require_within_limits(static_cast<std::size_t>(features.height),
                               static_cast<std::size_t>(features.width));
  source.require(features.has_animation == 0, "WebP data", "a still image", "an animation");

  const WebPData data{source.data(), source.bytes.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> parts(WebPDemux(&data),
                                                                       &WebPDemuxDelete);
  source.require(parts != nullptr, "WebP data", "a complete image", "truncated or damaged data");
  Image image = blank_image(static_cast<std::size_t>(features.height),
                            static_cast<std::size_t>(features.width));
  const bool decoded = WebPDecodeRGBInto(source.data(), source.bytes.size(), image.rgb.data(),
                                         image.rgb.size(), features.width * 3) != nullptr;
  source.require(decoded, "WebP data", "a complete image", "truncated or damaged data");

  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(parts.get(), "EXIF", 1, &chunk) != 0) {
    const unsigned char* const exif = chunk.chunk.bytes;
    // Some programs write JPEG's prefix into the chunk.
    const bool prefixed = chunk.chunk.size > exif_prefix.size() &&
                          std::equal(exif_prefix.begin(), exif_prefix.end(), exif);
    const std::size_t skipped = prefixed ? exif_prefix.size() : 0;
    orientation = orientation_in_bare(exif + skipped, chunk.chunk.size - skipped);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  return upright(std::move(image), orientation);
}

// --- Files

std::vector<std::byte> bytes_of(const std::string& path, std::size_t limit) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const FileDescriptor file(path, O_RDONLY | O_NONBLOCK);
  const std::uint64_t size = file_size(file, path);
  require_in_file(size <= limit, path, "size in bytes", "at most " + std::to_string(limit), size);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  for (std::span<std::byte> rest = bytes; !rest.empty();) {
    const auto got = ::read(file.get(), rest.data(), rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw_system_error(path, "to read " + std::to_string(rest.size()) + " bytes");
    }
    require_in_file(got > 0, path, "size", std::to_string(rest.size()) + " more bytes",
                    "the end of the file");
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  return bytes;
}

bool starts_with(Bytes bytes, std::string_view start, std::size_t at = 0) {
  return bytes.size() >= at + start.size() &&
         std::memcmp(bytes.data() + at, start.data(), start.size()) == 0;
}

/// The first bytes in hexadecimal.
std::string beginning(Bytes bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  if (bytes.empty()) return "no bytes";
  std::string text = "the bytes";
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 12))) {
    text += ' ';
    text += digits[std::to_integer<std::size_t>(byte >> 4U)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

}  // namespace

Image blank_image(std::size_t height, std::size_t width) {
  return {.height = height, .width = width, .rgb = std::vector<std::uint8_t>(height * width * 3)};
}

void require_pixels(const Image& image) {
  require(image.height > 0 && image.width > 0, "image", "at least one pixel",
          std::to_string(image.height) + " x " + std::to_string(image.width));
  require_size("bytes of an image", image.height * image.width * 3, image.rgb.size());
}

Image decode_image(Bytes bytes, const std::string& name, const ImageLimits& limits) {
  const Source source{.bytes = bytes, .name = name, .limits = limits};
  source.require(bytes.size() <= limits.file_bytes, "size in bytes",
                 "at most " + std::to_string(limits.file_bytes), bytes.size());
  if (starts_with(bytes, "\xff\xd8\xff")) return decode_jpeg(source);
  if (starts_with(bytes, png_signature)) return decode_png(source);
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return decode_webp(source);
  source.require(false, "beginning", "a JPEG, PNG or WebP image", beginning(bytes));
  return {};
}

Image read_image(const std::string& path, const ImageLimits& limits) {
  return decode_image(bytes_of(path, limits.file_bytes), path, limits);
}

std::vector<std::byte> encode_png(const Image& image) {
  require_pixels(image);
  // libpng cannot write larger images. The format itself allows up to 2^31 - 1.
  static constexpr std::size_t longest = 1'000'000;
  require(image.height <= longest && image.width <= longest, "side of an image", "at most 1000000",
          std::max(image.height, image.width));
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png.flags = PNG_IMAGE_FLAG_COLORSPACE_NOT_sRGB;  // unknown, so no chunk says that it is sRGB
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::byte> bytes(size);
  const bool written =
      png_image_write_to_memory(&png, bytes.data(), &size, 0, image.rgb.data(), 0, nullptr) != 0;
  // With these arguments, the only possible error is a lack of memory.
  if (!written)
    throw Error(expectation("PNG data", "to encode it", std::string_view(&png.message[0])));
  bytes.resize(size);
  return bytes;
}

void write_png(const std::string& path, const Image& image) {
  const std::vector<std::byte> bytes = encode_png(image);
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  require_pixels(image);
  require(quality >= 1 && quality <= 100, "quality", "1 to 100", quality);
  require(image.height <= JPEG_MAX_DIMENSION && image.width <= JPEG_MAX_DIMENSION,
          "side of an image", "at most " + std::to_string(JPEG_MAX_DIMENSION),
          std::max(image.height, image.width));

  Escape escape;
  jpeg_error_mgr errors{};
  jpeg_compress_struct jpeg{};
  jpeg.err = quiet(errors);
  jpeg.client_data = &escape;
  unsigned char* memory = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's signature
  const bool completed = completes(escape, [&] {
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &memory, &size);
    jpeg.image_width = static_cast<JDIMENSION>(image.width);
    jpeg.image_height = static_cast<JDIMENSION>(image.height);
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
      // NOLINTNEXTLINE(*-const-cast): libjpeg only reads it
      auto* row = const_cast<JSAMPROW>(&image.rgb[jpeg.next_scanline * image.width * 3]);
      jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
  });
  jpeg_destroy_compress(&jpeg);
  // With these arguments, the only possible error is a lack of memory. `memory` may then be
  // dangling.
  if (!completed)
    throw Error(expectation("JPEG data", "to encode it", std::string_view(escape.message.data())));
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(memory, &std::free);
  const Bytes encoded = std::as_bytes(std::span(memory, size));
  return {encoded.begin(), encoded.end()};
}

}  // namespace unlearn::pairs
