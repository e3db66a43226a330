// SPDX-License-Identifier: Apache-2.0
#include "pairs/images/image_pairs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/resize.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;
using testing::write_file;

static_assert(PairSource<ImagePairs>);

constexpr std::size_t side = 6;
constexpr std::size_t elements = side * side * 3;

/// Images of several sizes in files, two captions each.
class ImagePairsTest : public ::testing::Test {
 protected:
  ImagePairsTest() {
    for (std::size_t i = 0; i < 11; ++i) {
      Image image{7 + i % 3, 8 + i % 2};
      for (std::size_t j = 0; j < image.height * image.width * 3; ++j) {
        image.rgb.push_back(static_cast<std::uint8_t>(j * (i + 3) % 256));
      }
      paths.push_back(directory / (std::to_string(i) + ".png"));
      write_png(paths.back(), image);
      expected.push_back(clip_crop(image, side).rgb);
    }
    for (Index row = 0; row < 22; ++row) {
      signal_of_row.push_back(row % 11);
      captions.push_back({1, static_cast<Token>(row + 5), 2});
    }
  }

  [[nodiscard]] ImagePairs pairs(ImagePairsOptions options = {}) const {
    options.size = side;
    return {paths, signal_of_row, captions, std::move(options)};
  }

  [[nodiscard]] std::string refusal(const ImagePairsOptions& options = {.size = side}) const {
    return message_of<InvalidArgument>(
        [&] { const ImagePairs refused(paths, signal_of_row, captions, options); });
  }

  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<std::vector<std::uint8_t>> expected;
  std::vector<Index> signal_of_row;
  std::vector<std::vector<Token>> captions;
};

std::vector<std::uint8_t> load(const ImagePairs& pairs, std::vector<Index> signals) {
  std::vector<std::uint8_t> loaded(signals.size() * pairs.elements());
  pairs.load_signals(signals, {loaded.data(), {signals.size(), pairs.elements()}});
  return loaded;
}

TEST_F(ImagePairsTest, HasTheImagesAsClipSeesThemAndTheCaptions) {
  const ImagePairs loaded = pairs();
  EXPECT_EQ(loaded.rows(), 22U);
  EXPECT_EQ(loaded.signals(), 11U);
  EXPECT_EQ(loaded.elements(), elements);
  EXPECT_EQ(loaded.size(), side);
  EXPECT_EQ(loaded.path(3), paths[3]);
  EXPECT_EQ(loaded.signal_of(14), 3U);
  EXPECT_THAT(loaded.caption(14), ElementsAre(1, 19, 2));
  for (Index i = 0; i < 11; ++i) EXPECT_EQ(load(loaded, {i}), expected[i]) << i;
}

TEST_F(ImagePairsTest, MemoryAndThreadsChangeNothing) {
  const std::vector<Index> signals{10, 0, 5, 5, 3, 9, 1, 2, 8, 4};
  std::vector<std::uint8_t> all;
  for (const Index i : signals) all.insert(all.end(), expected[i].begin(), expected[i].end());
  for (const std::size_t memory : {std::size_t{0}, elements - 1, 4 * elements, 11 * elements}) {
    for (const unsigned threads : {0U, 1U, 3U, 16U}) {
      const ImagePairs loaded = pairs({.memory_bytes = memory, .threads = threads});
      EXPECT_EQ(load(loaded, signals), all) << memory << " bytes, " << threads << " threads";
      EXPECT_EQ(load(loaded, signals), all) << memory << " bytes, " << threads << " threads";
    }
  }
}

TEST_F(ImagePairsTest, EachFileIsReadOnce) {
  const TemporaryDirectory scratch;
  const ImagePairs partly = pairs({.memory_bytes = 4 * elements, .scratch_folder = scratch.path()});
  for (const std::string& path : paths) std::filesystem::remove(path);
  EXPECT_TRUE(testing::names_in(scratch.path()).empty());  // it has no name
  for (const Index i : {0U, 3U, 4U, 10U}) EXPECT_EQ(load(partly, {i}), expected[i]) << i;
}

TEST_F(ImagePairsTest, AFullDiskIsAnError) {
  const TemporaryDirectory scratch;
  const std::size_t enough = 11 * elements;
  const auto reading = [&](std::size_t memory) {
    const testing::FileSizeLimit full(7 * elements - 1);
    (void)pairs({.memory_bytes = memory, .scratch_folder = scratch.path()});
  };
  EXPECT_NO_THROW(reading(enough));
  EXPECT_NO_THROW(reading(5 * elements));
  const std::string message = message_of<FileError>([&] { reading(4 * elements); });
  EXPECT_THAT(message, HasSubstr("file '" + scratch.path() + "/unlearn-scratch-"));
  EXPECT_THAT(message, HasSubstr("expected room for 756 bytes, got File too large"));
  EXPECT_TRUE(testing::names_in(scratch.path()).empty());
}

TEST_F(ImagePairsTest, AScratchFolderThatIsNotThereIsAnError) {
  EXPECT_THAT(message_of<FileError>(
                  [&] { (void)pairs({.memory_bytes = 0, .scratch_folder = directory / "none"}); }),
              HasSubstr("expected to make a temporary file, got No such file"));
}

TEST_F(ImagePairsTest, PreparesEachImageOnceAsItIsDecoded) {
  std::atomic<int> calls = 0;
  const ImagePairs prepared = pairs({.memory_bytes = 4 * elements, .prepare = [&](Image& image) {
                                       ++calls;
                                       image = resize(image, 3, 4);
                                     }});
  EXPECT_EQ(calls, 11);
  for (const Index i : {2U, 9U}) {
    const Image small = resize(read_image(paths[i]), 3, 4);
    EXPECT_EQ(load(prepared, {i}), clip_crop(small, side).rgb) << i;
  }
  EXPECT_EQ(calls, 11);
}

/// Writes a draw of the generator into an image's first pixels.
void sign(Image& image, std::mt19937_64& rng) {
  for (std::size_t i = 0; i < 8; ++i) image.rgb[i] = static_cast<std::uint8_t>(rng() >> 56U);
}

TEST_F(ImagePairsTest, AugmentsAfreshInEachDraw) {
  const ImagePairs augmented = pairs({.augment = sign});
  std::set<std::string> seen;
  for (int draw = 0; draw < 20; ++draw) {
    for (Index i = 0; i < 11; ++i) {
      const std::vector<std::uint8_t> loaded = load(augmented, {i});
      EXPECT_TRUE(std::equal(loaded.begin() + 8, loaded.end(), expected[i].begin() + 8));
      seen.emplace(loaded.begin(), loaded.begin() + 8);
    }
  }
  EXPECT_EQ(augmented.draw(), 220U);
  EXPECT_EQ(seen.size(), 220U);
}

TEST_F(ImagePairsTest, AugmentationsAreThoseOfTheDrawWhateverTheThreadsAndMemory) {
  const std::vector<Index> signals{10, 0, 5, 5, 3, 9};
  std::vector<std::vector<std::uint8_t>> draws;
  const ImagePairs first = pairs({.threads = 1, .augment = sign});
  for (int draw = 0; draw < 4; ++draw) draws.push_back(load(first, signals));
  EXPECT_NE(draws[2], draws[3]);
  for (const std::size_t memory : {std::size_t{0}, 5 * elements, 11 * elements}) {
    for (const unsigned threads : {1U, 3U}) {
      ImagePairs resumed = pairs({.memory_bytes = memory, .threads = threads, .augment = sign});
      resumed.set_draw(2);
      EXPECT_EQ(load(resumed, signals), draws[2]);
      EXPECT_EQ(load(resumed, signals), draws[3]);
      resumed.set_draw(0);
      EXPECT_EQ(load(resumed, signals), draws[0]);
    }
  }
  EXPECT_NE(load(pairs({.augment = sign, .augment_seed = 1}), signals), draws[0]);
}

TEST_F(ImagePairsTest, WithoutAugmentationNothingIsCounted) {
  const ImagePairs loaded = pairs();
  (void)load(loaded, {1});
  EXPECT_EQ(loaded.draw(), 0U);
}

TEST_F(ImagePairsTest, AnAugmentationMustLeaveTheSize) {
  const ImagePairs augmented =
      pairs({.augment = [](Image& image, std::mt19937_64&) { image = center_crop(image, 5); }});
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)load(augmented, {1}); }),
            "augmented image: expected 6 x 6 pixels, got 5 x 5");
}

TEST_F(ImagePairsTest, TellsHowFarItIs) {
  paths.resize(70, paths[0]);
  std::vector<std::pair<std::size_t, std::size_t>> told;
  const auto tell = [&](std::size_t done, std::size_t all) { told.emplace_back(done, all); };
  (void)pairs({.threads = 1, .progress = tell});
  EXPECT_EQ(told, (std::vector<std::pair<std::size_t, std::size_t>>{{32, 70}, {64, 70}, {70, 70}}));
}

TEST_F(ImagePairsTest, TheCallbackCanStopTheReading) {
  const auto stop = [](std::size_t, std::size_t) { throw std::runtime_error("enough"); };
  EXPECT_THROW((void)pairs({.progress = stop}), std::runtime_error);
}

TEST_F(ImagePairsTest, TheFirstBadImageIsTheErrorForAnyNumberOfThreads) {
  write_file(paths[4], "");
  write_file(paths[5], "GIF89a");
  std::filesystem::remove(paths[9]);
  for (const std::size_t memory : {0U, 1'000'000U}) {
    for (const unsigned threads : {1U, 2U, 4U, 11U}) {
      EXPECT_EQ(
          message_of<FileError>([&] { (void)pairs({.memory_bytes = memory, .threads = threads}); }),
          "file '" + paths[4] + "', beginning: expected a JPEG, PNG or WebP image, got no bytes");
    }
  }
}

TEST_F(ImagePairsTest, ListsAllBadImages) {
  EXPECT_TRUE(unreadable_images(paths).empty());
  EXPECT_TRUE(unreadable_images({}).empty());
  write_file(paths[4], "");
  write_file(paths[10], "GIF89a");
  for (const unsigned threads : {1U, 3U}) {
    const auto bad = unreadable_images(paths, {}, Parallel{threads});
    ASSERT_EQ(bad.size(), 2U);
    EXPECT_EQ(bad[0].index, 4U);
    EXPECT_EQ(bad[1].index, 10U);
    EXPECT_EQ(bad[1].path, paths[10]);
    EXPECT_EQ(bad[1].problem, "file '" + paths[10] +
                                  "', beginning: expected a JPEG, PNG or WebP image, got the "
                                  "bytes 47 49 46 38 39 61");
  }
  EXPECT_EQ(unreadable_images(paths, {.side = 8}).size(), 7U + 2);
}

TEST_F(ImagePairsTest, LimitsAreThoseOfTheOptions) {
  EXPECT_THAT(message_of<FileError>([&] { (void)pairs({.limits = {.pixels = 60}}); }),
              HasSubstr("pixels: expected at most 60"));
}

TEST_F(ImagePairsTest, RefusesASizeWithoutPixels) {
  EXPECT_EQ(refusal({.size = 0}), "size: expected 1 to 16384, got 0");
  EXPECT_EQ(refusal({.size = 16'385}), "size: expected 1 to 16384, got 16385");
}

TEST_F(ImagePairsTest, RefusesListsOfDifferentLengths) {
  captions.pop_back();
  EXPECT_EQ(refusal(), "captions: expected 22, got 21");
}

TEST_F(ImagePairsTest, RefusesToHaveNoRows) {
  captions.clear();
  signal_of_row.clear();
  EXPECT_EQ(refusal(), "rows: expected at least one, got 0");
}

TEST_F(ImagePairsTest, RefusesARowOfAImageThatIsNotThere) {
  signal_of_row[7] = 11;
  EXPECT_EQ(refusal(), "row 7, image: expected less than 11, got 11");
}

TEST_F(ImagePairsTest, RefusesCaptionsWithoutTokensAndNegativeTokens) {
  captions[8].clear();
  EXPECT_EQ(refusal(), "row 8, tokens: expected at least one, got 0");
  captions[8] = {1, -4, 2};
  EXPECT_EQ(refusal(), "row 8, token: expected at least 0, got -4");
}

TEST_F(ImagePairsTest, RefusesToLoadWhatIsNotThere) {
  const ImagePairs loaded = pairs();
  std::vector<std::uint8_t> room(2 * elements);
  const auto loading = [&](std::vector<Index> signals, std::array<std::size_t, 2> shape) {
    return message_of<InvalidArgument>([&] { loaded.load_signals(signals, {room.data(), shape}); });
  };
  EXPECT_EQ(loading({0, 11}, {2, elements}), "signal: expected less than 11, got 11");
  EXPECT_EQ(loading({0}, {2, elements}), "rows of the signals: expected 1, got 2");
  EXPECT_EQ(loading({0, 1}, {2, 5}), "numbers in a signal: expected 108, got 5");
}

}  // namespace
}  // namespace unlearn::pairs
