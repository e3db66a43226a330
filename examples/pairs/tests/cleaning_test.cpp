// SPDX-License-Identifier: Apache-2.0
#include "pairs/cleaning/cleaning.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "numpy.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/resize.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using testing::message_of;
using testing::TemporaryDirectory;

Image drawn(std::size_t height, std::size_t width, std::uint64_t seed = 1) {
  std::mt19937_64 rng(seed);
  Image image{height, width, std::vector<std::uint8_t>(height * width * 3)};
  std::ranges::generate(image.rgb, [&] { return static_cast<std::uint8_t>(rng() >> 56U); });
  return image;
}

std::string bytes_of(const Image& image) { return {image.rgb.begin(), image.rgb.end()}; }

std::string stripped(std::size_t n, std::string caption) {
  strip_words(n).caption(caption);
  return caption;
}

TEST(StripWords, CutsTheFirstWordsOffAndLeavesTheRestAsItIs) {
  EXPECT_EQ(stripped(3, "wood word7 bar a dog,  on\tGrass . "), "a dog,  on\tGrass . ");
  EXPECT_EQ(stripped(1, " \n two words"), "words");
  EXPECT_EQ(stripped(0, "  a dog"), "  a dog");
  EXPECT_EQ(stripped(1, "chien \xC3\xA9t\xC3\xA9"), "\xC3\xA9t\xC3\xA9");
}

TEST(StripWords, TheLastWordAlwaysRemains) {
  EXPECT_EQ(stripped(3, "a dog"), "dog");
  EXPECT_EQ(stripped(2, "a dog"), "dog");
  EXPECT_EQ(stripped(2, "a dog "), "dog ");
  EXPECT_EQ(stripped(1'000'000, "dog"), "dog");
  EXPECT_EQ(stripped(2, ""), "");
  EXPECT_EQ(stripped(2, " \t"), " \t");
}

TEST(Jpeg, IsTheEncodedImageDecoded) {
  const Image image = drawn(21, 34);
  for (const int quality : {1, 75, 100}) {
    Image cleaned = image;
    jpeg(quality).image(cleaned);
    EXPECT_EQ(cleaned, decode_image(encode_jpeg(image, quality), "a")) << quality;
    EXPECT_NE(cleaned, image) << quality;
  }
}

TEST(Jpeg, RefusesAQualityThatIsNone) {
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)jpeg(0); }),
            "quality: expected 1 to 100, got 0");
  EXPECT_THROW((void)jpeg(101), InvalidArgument);
}

TEST(Grayscale, IsPillowsLuma) {
  const TemporaryDirectory directory;
  Image image = drawn(64, 100);
  image.rgb[0] = image.rgb[1] = image.rgb[2] = 255;
  write_png(directory / "a.png", image);
  testing::numpy(R"py(
from PIL import Image
folder = ')py" + directory.path() +
                 R"py(/'
open(folder + 'gray', 'wb').write(
    Image.open(folder + 'a.png').convert('L').convert('RGB').tobytes())
)py");
  grayscale().image(image);
  const std::string expected = testing::read_file(directory / "gray");
  ASSERT_EQ(image.rgb.size(), expected.size());
  EXPECT_TRUE(std::ranges::equal(image.rgb, expected, {}, {},
                                 [](char c) { return static_cast<std::uint8_t>(c); }));
}

TEST(RandomCrop, TheWholeImageIsTheImageItself) {
  const Image image = drawn(9, 9);
  Image cropped = image;
  std::mt19937_64 rng(1);
  random_crop({.least_area = 1, .least_aspect = 1, .most_aspect = 1}).augment(cropped, rng);
  EXPECT_EQ(cropped, image);
}

TEST(RandomCrop, EachPlaceIsAsLikelyAndResizedBack) {
  const Image image = drawn(6, 6);
  std::map<std::string, int> seen;  // how often; each rectangle of 3 x 3
  for (std::size_t top = 0; top < 4; ++top) {
    for (std::size_t left = 0; left < 4; ++left) {
      Image part{3, 3};
      for (std::size_t y = 0; y < 3; ++y) {
        const auto* const row = &image.rgb[((top + y) * 6 + left) * 3];
        part.rgb.insert(part.rgb.end(), row, row + 9);
      }
      seen.emplace(bytes_of(resize(part, 6, 6)), 0);
    }
  }
  ASSERT_EQ(seen.size(), 16U);
  const CleaningStage stage =
      random_crop({.least_area = 0.25, .most_area = 0.25, .least_aspect = 1, .most_aspect = 1});
  std::mt19937_64 rng(7);
  for (int draw = 0; draw < 1600; ++draw) {
    Image cropped = image;
    stage.augment(cropped, rng);
    const auto found = seen.find(bytes_of(cropped));
    ASSERT_NE(found, seen.end());
    ++found->second;
  }
  for (const auto& [pixels, count] : seen) EXPECT_NEAR(count, 100, 50);
}

TEST(RandomCrop, AreasAndAspectsSpanTheirRanges) {
  // Red tells the column and green the row: the extent of each tells the rectangle's sides.
  constexpr std::size_t side = 64;
  Image image{side, side};
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      image.rgb.insert(image.rgb.end(),
                       {static_cast<std::uint8_t>(4 * x), static_cast<std::uint8_t>(4 * y), 0});
    }
  }
  const auto side_of = [](const Image& cropped, std::size_t channel) {
    const int last = cropped.rgb[cropped.rgb.size() - 3 + channel];
    return (last - cropped.rgb[channel]) / 4.0 + 1;
  };
  double least_area = 1;
  double most_area = 0;
  double least_aspect = 9;
  double most_aspect = 0;
  std::mt19937_64 rng(3);
  const CleaningStage stage = random_crop();
  for (int draw = 0; draw < 500; ++draw) {
    Image cropped = image;
    stage.augment(cropped, rng);
    ASSERT_EQ(cropped.height, side);
    ASSERT_EQ(cropped.width, side);
    const double width = side_of(cropped, 0);
    const double height = side_of(cropped, 1);
    least_area = std::min(least_area, width * height / (side * side));
    most_area = std::max(most_area, width * height / (side * side));
    least_aspect = std::min(least_aspect, width / height);
    most_aspect = std::max(most_aspect, width / height);
  }
  EXPECT_NEAR(least_area, 0.5, 0.06);
  EXPECT_NEAR(most_area, 1, 0.06);
  EXPECT_NEAR(least_aspect, 3.0 / 4, 0.06);
  EXPECT_NEAR(most_aspect, 4.0 / 3, 0.1);
}

TEST(RandomCrop, WhatNeverFitsIsTheMiddle) {
  // All of its area, twice as wide as high: never fits into a square.
  const Image image = drawn(8, 8);
  Image cropped = image;
  std::mt19937_64 rng(1);
  random_crop({.least_area = 1, .least_aspect = 2, .most_aspect = 2}).augment(cropped, rng);
  const Image middle{4, 8, {&image.rgb[2 * 8 * 3], &image.rgb[6 * 8 * 3]}};
  EXPECT_EQ(cropped, resize(middle, 8, 8));
}

TEST(RandomCrop, RefusesRangesWithoutImages) {
  const auto refusal = [](const RandomCropOptions& options) {
    return message_of<InvalidArgument>([&] { (void)random_crop(options); });
  };
  EXPECT_EQ(refusal({.least_area = 0}),
            "area of a random crop: expected 0 < least <= most <= 1, got 0 to 1");
  EXPECT_EQ(refusal({.most_area = 1.5}),
            "area of a random crop: expected 0 < least <= most <= 1, got 0.5 to 1.5");
  EXPECT_EQ(refusal({.least_aspect = 2}),
            "aspect ratio of a random crop: expected 0 < least <= most, got 2 to 1.33");
  EXPECT_THROW((void)random_crop({.least_area = std::nan("")}), InvalidArgument);
}

TEST(Cleaning, StagesApplyInOrder) {
  const CleaningStage upper{.name = "tag", .caption = [](std::string& s) { s += " x"; }};
  EXPECT_EQ(clean_caption({strip_words(1), upper}, "one"), "one x");
  EXPECT_EQ(clean_caption({upper, strip_words(1)}, "one"), "x");
  EXPECT_EQ(clean_caption({jpeg(5), grayscale()}, "one two"), "one two");
  EXPECT_EQ(names_of({strip_words(3), jpeg(75), grayscale(), random_crop()}),
            "strip-words 3, jpeg 75, grayscale, random-crop 0.5 to 1");
  EXPECT_EQ(names_of({}), "none");
}

TEST(Cleaning, ImagesTakeOnlyTheStagesThatConcernThem) {
  ImagePairsOptions options;
  clean_images({strip_words(2)}, options);
  EXPECT_FALSE(options.prepare);
  EXPECT_FALSE(options.augment);
  clean_images({grayscale(), strip_words(2), jpeg(30)}, options);
  ASSERT_TRUE(options.prepare);
  EXPECT_FALSE(options.augment);
  Image cleaned = drawn(10, 12);
  Image expected = cleaned;
  options.prepare(cleaned);
  grayscale().image(expected);
  jpeg(30).image(expected);
  EXPECT_EQ(cleaned, expected);
  clean_images({random_crop()}, options);
  EXPECT_FALSE(options.prepare);
  EXPECT_TRUE(options.augment);
}

/// The names of the stages that a command line asks for.
}  // namespace
}  // namespace unlearn::pairs
