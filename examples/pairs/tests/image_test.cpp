// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/image.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// jpeglib.h does not include what it needs.
#include <jpeglib.h>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "numpy.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;

/// Runs a program with Pillow. `folder` and a function `show(name)` are defined: it writes, as
/// `name`.rgb, what Pillow makes of the file `name`.
void pillow(const TemporaryDirectory& directory, const std::string& program) {
  testing::numpy(R"py(
import struct, zlib
from PIL import Image, ImageOps
folder = ')py" + directory.path() +
                 R"py(/'
def show(name):
    image = ImageOps.exif_transpose(Image.open(folder + name)).convert('RGB')
    open(folder + name + '.rgb', 'wb').write(image.tobytes())
rng = np.random.default_rng(1)
y, x = np.mgrid[0:19, 0:26]
smooth = Image.fromarray(np.stack([x * 9, y * 13, (x + y) * 5], -1).astype(np.uint8))
rough = Image.fromarray(rng.integers(0, 256, (19, 26, 4), dtype=np.uint8), 'RGBA')
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
def png(width, height, depth, kind, rows, extra=b''):
    header = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + extra +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
def save(name, data):
    open(folder + name, 'wb').write(data)
)py" + program);
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string message(const std::string& bytes, const ImageLimits& limits = {}) {
  return message_of<FileError>([&] { (void)decode_image(as_bytes(bytes), "a", limits); });
}

std::vector<std::uint8_t> pixels(const std::string& text) { return {text.begin(), text.end()}; }

/// An image of which each pixel is another, with smooth parts.
Image drawn(std::size_t height, std::size_t width) {
  Image image{height, width};
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      for (const std::size_t value : {x * 5, y * 7, x * y}) {
        image.rgb.push_back(static_cast<std::uint8_t>(value % 256));
      }
    }
  }
  return image;
}

TEST(Image, PixelsAreThoseOfPillow) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
smooth.save(folder + 'half_chroma.jpg')
smooth.save(folder + 'full_chroma.jpg', subsampling=0)
smooth.save(folder + 'progressive.jpg', progressive=True)
smooth.convert('L').save(folder + 'grey.jpg')
rough.convert('CMYK').save(folder + 'inks.jpg', quality=95)
smooth.save(folder + 'colour.png')
rough.save(folder + 'alpha.png')
rough.convert('L').save(folder + 'grey.png')
rough.convert('LA').save(folder + 'grey_alpha.png')
rough.convert('1').save(folder + 'one_bit.png')
smooth.quantize(200).save(folder + 'palette.png', transparency=3)
smooth.quantize(3).save(folder + 'two_bit_palette.png', bits=2)
smooth.save(folder + 'one_transparent.png', transparency=(0, 0, 0))
wide = rng.integers(0, 256, (5, 1 + 6 * 4 * 2), dtype=np.uint8)
wide[:, 0] = 0
save('colour16.png', png(6, 5, 16, 2, wide[:, :37].tobytes()))
save('alpha16.png', png(6, 5, 16, 6, wide.tobytes()))
save('grey_alpha16.png', png(6, 5, 16, 4, wide[:, :25].tobytes()))
save('two_bit.png', png(12, 5, 2, 0, wide[:, :4].tobytes()))
save('four_bit.png', png(6, 5, 4, 0, wide[:, :4].tobytes()))
save('gamma.png', png(6, 5, 8, 2, wide[:, :19].tobytes(), chunk(b'gAMA', struct.pack('>I', 100000))))
smooth.save(folder + 'lossy.webp')
smooth.save(folder + 'lossless.webp', lossless=True)
rough.save(folder + 'alpha.webp', lossless=True, exact=True)
rough.save(folder + 'lossy_alpha.webp')
import os
for name in os.listdir(folder): show(name)
)py");
  const std::set<std::string> names = testing::names_in(directory.path());
  EXPECT_EQ(names.size(), 2U * 23);
  for (const std::string& name : names) {
    if (name.ends_with(".rgb")) continue;
    const Image image = read_image(directory / name);
    EXPECT_EQ(image.rgb.size(), image.height * image.width * 3) << name;
    EXPECT_EQ(image.rgb, pixels(read_file(directory / (name + ".rgb")))) << name;
  }
}

TEST(Image, GreyOfSixteenBitsKeepsTheUpperEight) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
save('a', png(3, 1, 16, 0, bytes([0, 0, 255, 1, 0, 200, 127])))
)py");
  EXPECT_EQ(read_image(directory / "a"), (Image{1, 3, {0, 0, 0, 1, 1, 1, 200, 200, 200}}));
}

TEST(Image, EveryOrientationIsTurnedUpright) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
for orientation in range(10):
    exif = Image.Exif()
    exif[0x112] = orientation
    for kind in ['jpg', 'png', 'webp']:
        name = f'{orientation}.{kind}'
        smooth.save(folder + name, kind.replace('jpg', 'jpeg'), exif=exif)
        show(name)
)py");
  for (int orientation = 0; orientation < 10; ++orientation) {
    for (const std::string kind : {".jpg", ".png", ".webp"}) {
      const std::string name = std::to_string(orientation) + kind;
      const Image image = read_image(directory / name);
      const bool lies = orientation >= 5 && orientation <= 8;
      EXPECT_EQ(image.width, lies ? 19U : 26U) << name;
      EXPECT_EQ(image.rgb, pixels(read_file(directory / (name + ".rgb")))) << name;
    }
  }
}

TEST(Image, OrientationSixIsTurnedClockwise) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
exif = Image.Exif()
exif[0x112] = 6
Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(folder + 'a', 'png', exif=exif)
)py");
  const Image image = read_image(directory / "a");
  EXPECT_EQ(image.height, 3U);
  EXPECT_EQ(image.rgb, (std::vector<std::uint8_t>{3, 3, 3, 0, 0, 0, 4, 4, 4, 1, 1, 1,  //
                                                  5, 5, 5, 2, 2, 2}));
}

TEST(Image, ExifThatCannotBeReadTurnsNothing) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
for name, exif in [('nonsense', b'nonsense'), ('offset', b'II*\0\xff\xff\xff\xff'),
                   ('cut', b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0'),
                   ('type', b'II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0\0\0\0\0')]:
    save(name, png(2, 1, 8, 0, bytes([0, 7, 9]), chunk(b'eXIf', exif)))
)py");
  for (const std::string name : {"nonsense", "offset", "cut", "type"}) {
    EXPECT_EQ(read_image(directory / name), (Image{1, 2, {7, 7, 7, 9, 9, 9}})) << name;
  }
}

TEST(Image, EveryTruncationIsAnErrorWithoutNoise) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
smooth.save(folder + 'baseline', 'jpeg')
smooth.save(folder + 'progressive', 'jpeg', progressive=True)
rough.convert('CMYK').resize((9, 9)).save(folder + 'inks', 'jpeg')
smooth.save(folder + 'colour', 'png')
smooth.quantize(9).save(folder + 'palette', 'png')
smooth.save(folder + 'lossy', 'webp')
smooth.save(folder + 'lossless', 'webp', lossless=True)
rough.save(folder + 'alpha', 'webp')
)py");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  for (const std::string& name : testing::names_in(directory.path())) {
    const std::string whole = read_file(directory / name);
    EXPECT_NO_THROW((void)decode_image(as_bytes(whole), name)) << name;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THROW((void)decode_image(as_bytes(whole.substr(0, size)), name), FileError)
          << name << " " << size;
    }
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

TEST(Image, DamageIsAnErrorOrAImageOfTheHeadersSize) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
exif = Image.Exif()
exif[0x112] = 6
small = smooth.resize((9, 7))
small.save(folder + 'a.jpg', exif=exif)
small.save(folder + 'b.jpg', progressive=True)
small.save(folder + 'c.png', exif=exif)
small.quantize(9).save(folder + 'd.png')
small.save(folder + 'e.webp', exif=exif)
small.save(folder + 'f.webp', lossless=True)
)py");
  // A damaged header can ask for as much as the limits grant.
  const ImageLimits limits{.side = 1000};
  ::testing::internal::CaptureStderr();
  for (const std::string& name : testing::names_in(directory.path())) {
    const std::string whole = read_file(directory / name);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int flipped : {0x01, 0x80, 0xFF}) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ flipped);
        try {
          const Image image = decode_image(as_bytes(damaged), name, limits);
          EXPECT_EQ(image.rgb.size(), image.height * image.width * 3);
        } catch (const FileError& error) {
          EXPECT_THAT(error.what(), HasSubstr("file '" + name + "'"));
        }
      }
    }
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Image, AHugeHeaderIsRefusedBeforeDecoding) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
save('png', png(40000, 40000, 8, 2, b''))
smooth.save(folder + 'small', 'jpeg')
jpeg = bytearray(open(folder + 'small', 'rb').read())
start = jpeg.index(b'\xff\xc0')
jpeg[start + 5:start + 9] = struct.pack('>HH', 40000, 40000)
save('jpeg', jpeg)
canvas = b'VP8X' + struct.pack('<IBBBB', 10, 2, 0, 0, 0) + 2 * struct.pack('<I', 39999)[:3]
save('webp', b'RIFF' + struct.pack('<I', 4 + len(canvas)) + b'WEBP' + canvas)
)py");
  for (const std::string name : {"png", "jpeg", "webp"}) {
    EXPECT_EQ(message(read_file(directory / name)),
              "file 'a', height x width in pixels: expected at most 16384 x 16384, got "
              "40000 x 40000");
  }
}

TEST(Image, LimitsHoldForPixelsAndForTheFile) {
  const TemporaryDirectory directory;
  write_png(directory / "a", drawn(20, 30));
  const std::string bytes = read_file(directory / "a");
  EXPECT_EQ(message(bytes, {.side = 29}),
            "file 'a', height x width in pixels: expected at most 29 x 29, got 20 x 30");
  EXPECT_EQ(message(bytes, {.pixels = 599}), "file 'a', pixels: expected at most 599, got 20 x 30");
  EXPECT_NO_THROW((void)decode_image(as_bytes(bytes), "a", {.side = 30, .pixels = 600}));
  EXPECT_EQ(message(bytes, {.file_bytes = 50}),
            "file 'a', size in bytes: expected at most 50, got " + std::to_string(bytes.size()));
  EXPECT_THROW((void)read_image(directory / "a", {.file_bytes = 50}), FileError);
}

TEST(Image, HugeChunksTakeNoMemory) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
row = bytes([0, 7])
bomb = zlib.compress(bytes(1 << 26), 9)
save('bombs', png(1, 1, 8, 0, row, chunk(b'zTXt', b'a\0\0' + bomb) + chunk(b'iCCP', b'a\0\0' + bomb) +
                                   chunk(b'iTXt', b'a\0\1\0\0\0' + bomb)))
save('longest', png(1, 1, 8, 0, row, struct.pack('>I', 2**31 - 1) + b'eXIf'))
save('too_long', png(1, 1, 8, 0, row, struct.pack('>I', 2**32 - 1) + b'tEXt'))
save('pixels', png(1, 1, 8, 0, bytes(1 << 24)))
)py");
  EXPECT_EQ(read_image(directory / "bombs"), (Image{1, 1, {7, 7, 7}}));
  EXPECT_THAT(message(read_file(directory / "longest")), HasSubstr("PNG data"));
  EXPECT_THAT(message(read_file(directory / "too_long")), HasSubstr("PNG data"));
  EXPECT_EQ(read_image(directory / "pixels"), (Image{1, 1, {0, 0, 0}}));
}

/// A JPEG that sends the first of its three channels so many times.
std::string jpeg_of_scans(std::size_t scans) {
  jpeg_error_mgr errors{};
  jpeg_compress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's signature
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = 8;
  jpeg.image_height = 1;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  std::array<jpeg_scan_info, 3> script{};
  for (int channel = 0; channel < 3; ++channel) {
    jpeg_scan_info& scan = script[static_cast<std::size_t>(channel)];
    scan.comps_in_scan = 1;
    scan.component_index[0] = channel;
    scan.Se = 63;
  }
  jpeg.scan_info = script.data();
  jpeg.num_scans = 3;
  jpeg_start_compress(&jpeg, TRUE);
  std::array<JSAMPLE, 24> row{9, 200, 30, 77};
  JSAMPROW rows = row.data();
  jpeg_write_scanlines(&jpeg, &rows, 1);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string bytes = std::string(reinterpret_cast<const char*>(memory), size);
  std::free(memory);  // NOLINT(*-no-malloc): libjpeg's memory

  const std::string_view start_of_scan("\xff\xda", 2);
  const std::size_t first = bytes.find(start_of_scan);
  const std::string scan = bytes.substr(first, bytes.find("\xff\xc4", first) - first);
  std::string repeated;
  for (std::size_t i = 3; i < scans; ++i) repeated += scan;
  return bytes.insert(first, repeated);
}

TEST(Image, AJpegOfVeryManyScansIsRefused) {
  EXPECT_NO_THROW((void)decode_image(as_bytes(jpeg_of_scans(100)), "a"));
  EXPECT_EQ(
      message(jpeg_of_scans(101)),
      "file 'a', JPEG data: expected a complete image, got more scans than any encoder makes");
}

TEST(Image, AnAnimatedWebpIsAnError) {
  const TemporaryDirectory directory;
  pillow(directory, R"py(
smooth.save(folder + 'a', 'webp', save_all=True, append_images=[rough.convert('RGB')])
)py");
  EXPECT_EQ(message(read_file(directory / "a")),
            "file 'a', WebP data: expected a still image, got an animation");
}

TEST(Image, NamesWhatIsNoImage) {
  const TemporaryDirectory directory;
  EXPECT_EQ(message(""), "file 'a', beginning: expected a JPEG, PNG or WebP image, got no bytes");
  EXPECT_EQ(message("GIF89a"),
            "file 'a', beginning: expected a JPEG, PNG or WebP image, got the bytes "
            "47 49 46 38 39 61");
  const auto reading = [](const std::string& path) {
    return message_of<FileError>([&] { (void)read_image(path); });
  };
  EXPECT_EQ(reading(directory / "none.jpg"),
            "file '" + directory.path() +
                "/none.jpg': expected to open it, got No such file or directory");
  EXPECT_THAT(reading(directory.path()), HasSubstr("Is a directory"));
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(reading(directory / "pipe"), HasSubstr("got no bytes"));
  EXPECT_THAT(reading("/dev/zero"), HasSubstr("got no bytes"));
  EXPECT_EQ(message(std::string("\x89PNG\r\n\x1a\n", 8)),
            "file 'a', PNG data: expected a complete image, got the end of the data");
  EXPECT_THAT(message("\xff\xd8\xff"),
              HasSubstr("file 'a', JPEG data: expected a complete image, got "));
  EXPECT_EQ(message("RIFF....WEBP"),
            "file 'a', WebP header: expected a complete one, got truncated or damaged data");
}

TEST(WritePng, KeepsEveryPixelInTheSameBytes) {
  const TemporaryDirectory directory;
  const Image image = drawn(37, 23);
  write_png(directory / "a.png", image);
  write_png(directory / "b.png", image);
  EXPECT_EQ(read_image(directory / "a.png"), image);
  EXPECT_EQ(read_file(directory / "a.png"), read_file(directory / "b.png"));
  pillow(directory, "show('a.png')");
  EXPECT_EQ(pixels(read_file(directory / "a.png.rgb")), image.rgb);
}

TEST(EncodePng, GivesTheBytesOfTheFile) {
  const TemporaryDirectory directory;
  const Image image = drawn(20, 30);
  write_png(directory / "a.png", image);
  const std::vector<std::byte> bytes = encode_png(image);
  const std::string file = read_file(directory / "a.png");
  ASSERT_EQ(bytes.size(), file.size());
  EXPECT_EQ(std::memcmp(bytes.data(), file.data(), file.size()), 0);
  EXPECT_EQ(decode_image(bytes, "a"), image);
}

TEST(WritePng, AFullDiskLeavesTheOldFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.png";
  write_png(path, drawn(2, 2));
  const std::string before = read_file(path);
  {
    const testing::FileSizeLimit limit(512);
    EXPECT_THROW(write_png(path, drawn(300, 300)), FileError);
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(testing::names_in(directory.path()), std::set<std::string>{"a.png"});
}

TEST(WritePng, RefusesAImageOfAnotherSizeThanItSays) {
  const TemporaryDirectory directory;
  EXPECT_EQ(message_of<InvalidArgument>([&] { write_png(directory / "a", {2, 2, {1, 2, 3}}); }),
            "bytes of an image: expected 12, got 3");
  EXPECT_EQ(message_of<InvalidArgument>([&] { write_png(directory / "a", {0, 2, {}}); }),
            "image: expected at least one pixel, got 0 x 2");
  EXPECT_TRUE(testing::names_in(directory.path()).empty());
}

TEST(EncodeJpeg, LosesWhatPillowLoses) {
  const TemporaryDirectory directory;
  const Image image = drawn(41, 50);
  write_png(directory / "a.png", image);
  for (const int quality : {1, 30, 75, 100}) {
    const std::string text = std::to_string(quality);
    pillow(directory, "Image.open(folder + 'a.png').save(folder + 'a.jpg', quality=" + text +
                          ")\nshow('a.jpg')");
    const std::vector<std::byte> bytes = encode_jpeg(image, quality);
    EXPECT_EQ(decode_image(bytes, "a").rgb, pixels(read_file(directory / "a.jpg.rgb"))) << text;
  }
}

TEST(EncodeJpeg, RefusesWhatJpegCannotHold) {
  const auto encoding = [](const Image& image, int quality) {
    return message_of<InvalidArgument>([&] { (void)encode_jpeg(image, quality); });
  };
  EXPECT_EQ(encoding(drawn(1, 1), 0), "quality: expected 1 to 100, got 0");
  EXPECT_EQ(encoding(drawn(1, 1), 101), "quality: expected 1 to 100, got 101");
  EXPECT_EQ(encoding({1, 1, {}}, 75), "bytes of an image: expected 3, got 0");
  EXPECT_EQ(encoding(drawn(1, 65'501), 75), "side of an image: expected at most 65500, got 65501");
}

}  // namespace
}  // namespace unlearn::pairs
