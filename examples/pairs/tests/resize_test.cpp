// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/resize.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "numpy.hpp"
#include "pairs/images/image.hpp"
#include "shared_data.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::pairs {
namespace {

using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;

/// Runs a program with Pillow, and with torchvision's two rules in its words; returns the bytes
/// that it writes to `out`.
std::vector<std::uint8_t> pillow(const std::string& program) {
  const TemporaryDirectory directory;
  testing::numpy(R"py(
from PIL import Image
out = open(')py" +
                 (directory / "out") + R"py(', 'wb')
def shorter_side(image, size):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    long = int(size * long / short)
    return image.resize((size, long) if width <= height else (long, size), Image.BICUBIC)
def center(image, size):
    width, height = image.size
    top, left = int(round((height - size) / 2.0)), int(round((width - size) / 2.0))
    return image.crop((left, top, left + size, top + size))
)py" + program);
  const std::string bytes = read_file(directory / "out");
  return {bytes.begin(), bytes.end()};
}

using Size = std::pair<std::size_t, std::size_t>;

/// Numbers from one end of the range to the other, without any order.
Image rough(std::size_t height, std::size_t width) {
  Image image{height, width};
  SplitMix64 rng(1);
  for (std::size_t i = 0; i < height * width * 3; ++i) {
    image.rgb.push_back(static_cast<std::uint8_t>(uniform_below(256, rng)));
  }
  return image;
}

/// As a Python expression for Pillow.
std::string in_python(const std::string& path) { return "Image.open('" + path + "')"; }

std::string pair(std::size_t width, std::size_t height) {
  std::string text("(");
  text.append(std::to_string(width)).append(", ").append(std::to_string(height)).append(")");
  return text;
}

void append(std::vector<std::uint8_t>& all, const Image& image) {
  all.insert(all.end(), image.rgb.begin(), image.rgb.end());
}

TEST(Resize, EqualsPillowToTheBit) {
  const TemporaryDirectory directory;
  for (const auto& [height, width] : {Size(31, 47), {64, 64}, {1, 9}, {5, 1}}) {
    const Image image = rough(height, width);
    write_png(directory / "a.png", image);
    std::vector<std::uint8_t> ours;
    std::string sizes;
    for (const auto& [to_height, to_width] :
         {Size(1, 1), {7, 90}, {31, 20}, {50, 47}, {64, 64}, {224, 96}, {31, 47}, {200, 3}}) {
      const Image resized = resize(image, to_height, to_width);
      EXPECT_EQ(resized.height, to_height);
      EXPECT_EQ(resized.width, to_width);
      append(ours, resized);
      sizes += pair(to_width, to_height) + ", ";
    }
    const auto theirs =
        pillow("for size in [" + sizes + "]: out.write(" + in_python(directory / "a.png") +
               ".resize(size, Image.BICUBIC).tobytes())");
    EXPECT_EQ(ours, theirs) << height << " x " << width;
  }
}

TEST(Resize, PhotosEqualPillowToTheBit) {
  const auto images = testing::shared_data("data/flickr8k-128/images");
  if (!images) GTEST_SKIP() << testing::no_shared_data;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(*images)) {
    if (entry.path().extension() == ".jpg") paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  ASSERT_GE(paths.size(), 40U);
  paths.resize(40);
  std::string list;
  std::vector<std::uint8_t> ours;
  for (const std::string& path : paths) {
    list += "'" + path + "', ";
    const Image photo = read_image(path);
    for (const std::size_t size : {64U, 96U, 128U, 224U}) append(ours, resize(photo, size, size));
    append(ours, resize(photo, 77, 300));
    append(ours, resize(photo, 300, 50));
  }
  const auto theirs = pillow("for path in [" + list + R"py(]:
    for size in [(64, 64), (96, 96), (128, 128), (224, 224), (300, 77), (50, 300)]:
        out.write(Image.open(path).convert('RGB').resize(size, Image.BICUBIC).tobytes())
)py");
  EXPECT_TRUE(ours == theirs);  // no message of ten million numbers
}

TEST(Resize, ASinglePixelFillsEveryPlace) {
  EXPECT_EQ(resize({1, 1, {1, 128, 255}}, 2, 1), (Image{2, 1, {1, 128, 255, 1, 128, 255}}));
}

TEST(Resize, OvershootIsCutOffAtBothEnds) {
  const Image edge{1, 2, {0, 0, 0, 255, 255, 255}};
  const Image wide = resize(edge, 1, 16);
  EXPECT_EQ(wide.rgb.front(), 0);
  EXPECT_EQ(wide.rgb.back(), 255);
  EXPECT_TRUE(std::ranges::is_sorted(wide.rgb));
}

TEST(ShorterSide, TheLongerOneIsRoundedDown) {
  const auto sides = [](std::size_t height, std::size_t width, std::size_t size) {
    const Image image = resize_shorter_side(rough(height, width), size);
    return Size(image.height, image.width);
  };
  EXPECT_EQ(sides(30, 47, 10), Size(10, 15));
  EXPECT_EQ(sides(47, 30, 10), Size(15, 10));
  EXPECT_EQ(sides(20, 20, 33), Size(33, 33));
  EXPECT_EQ(sides(3, 10, 3), Size(3, 10));
}

TEST(CenterCrop, HalfAPixelGoesToTheEvenNumber) {
  // Each pixel says in which column it stands.
  const auto left_of = [](std::size_t width, std::size_t size) {
    Image image{size, width};
    for (std::size_t i = 0; i < size * width * 3; ++i) {
      image.rgb.push_back(static_cast<std::uint8_t>(i / 3 % width));
    }
    return static_cast<int>(center_crop(image, size).rgb.front());
  };
  EXPECT_EQ(left_of(3, 3), 0);
  EXPECT_EQ(left_of(4, 3), 0);  // 0.5
  EXPECT_EQ(left_of(5, 3), 1);
  EXPECT_EQ(left_of(6, 3), 2);  // 1.5
  EXPECT_EQ(left_of(7, 3), 2);
  EXPECT_EQ(left_of(8, 3), 2);   // 2.5
  EXPECT_EQ(left_of(10, 3), 4);  // 3.5
}

TEST(ClipCrop, EqualsPillowWithTorchvisionsRules) {
  const TemporaryDirectory directory;
  std::vector<std::uint8_t> ours;
  std::string program;
  for (const auto& [height, width] : {Size(31, 47), {47, 30}, {20, 20}, {16, 90}, {33, 16}}) {
    const Image image = rough(height, width);
    const std::string path = directory / (pair(height, width) + ".png");
    write_png(path, image);
    for (const std::size_t size : {1U, 15U, 16U, 64U}) {
      const Image crop = clip_crop(image, size);
      EXPECT_EQ(crop, center_crop(resize_shorter_side(image, size), size));
      append(ours, crop);
      const std::string text = std::to_string(size);
      program += "out.write(center(shorter_side(" + in_python(path) + ", " + text + "), " + text +
                 ").tobytes())\n";
    }
  }
  EXPECT_EQ(ours, pillow(program));
}

TEST(ClipCrop, AVeryLongImageTakesNoMoreThanItsMiddle) {
  // Its shorter side resized to 512 would make it 16 gigabytes large.
  Image line{1, 20'000, std::vector<std::uint8_t>(60'000, 9)};
  EXPECT_EQ(clip_crop(line, 512), (Image{512, 512, std::vector<std::uint8_t>(512 * 512 * 3, 9)}));
}

TEST(Resize, RefusesWhatIsNoImageOrNoSize) {
  const auto refusal = [](const auto& call) { return message_of<InvalidArgument>(call); };
  const Image image = rough(4, 6);
  EXPECT_EQ(refusal([&] { (void)resize(image, 0, 3); }),
            "size: expected at least 1 x 1, got 0 x 3");
  EXPECT_EQ(refusal([&] { (void)resize({0, 0, {}}, 1, 1); }),
            "image: expected at least one pixel, got 0 x 0");
  EXPECT_EQ(refusal([&] { (void)resize({1, 1, {1, 2}}, 1, 1); }),
            "bytes of an image: expected 3, got 2");
  EXPECT_EQ(refusal([&] { (void)resize_shorter_side(image, 0); }),
            "size: expected at least 1, got 0");
  EXPECT_EQ(refusal([&] { (void)clip_crop(image, 0); }), "size: expected at least 1, got 0");
  EXPECT_EQ(refusal([&] { (void)center_crop(image, 5); }),
            "size of a crop: expected 1 to 4, got 5");
  EXPECT_EQ(refusal([&] { (void)center_crop(image, 0); }),
            "size of a crop: expected 1 to 4, got 0");
}

}  // namespace
}  // namespace unlearn::pairs
