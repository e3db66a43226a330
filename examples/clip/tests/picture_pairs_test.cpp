// SPDX-License-Identifier: Apache-2.0
#include "clip/picture_pairs.hpp"

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

#include "clip/picture.hpp"
#include "clip/resize.hpp"
#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;
using testing::write_file;

static_assert(PairSource<PicturePairs>);

constexpr std::size_t side = 6;
constexpr std::size_t elements = side * side * 3;

/// Pictures of several sizes in files, two captions each.
class PicturePairsTest : public ::testing::Test {
 protected:
  PicturePairsTest() {
    for (std::size_t i = 0; i < 11; ++i) {
      Picture picture{7 + i % 3, 8 + i % 2};
      for (std::size_t j = 0; j < picture.height * picture.width * 3; ++j) {
        picture.rgb.push_back(static_cast<std::uint8_t>(j * (i + 3) % 256));
      }
      paths.push_back(directory / (std::to_string(i) + ".png"));
      write_png(paths.back(), picture);
      expected.push_back(clip_crop(picture, side).rgb);
    }
    for (Index row = 0; row < 22; ++row) {
      signal_of_row.push_back(row % 11);
      captions.push_back({1, static_cast<Token>(row + 5), 2});
    }
  }

  [[nodiscard]] PicturePairs pairs(PicturePairsOptions options = {}) const {
    options.size = side;
    return {paths, signal_of_row, captions, std::move(options)};
  }

  [[nodiscard]] std::string refusal(const PicturePairsOptions& options = {.size = side}) const {
    return message_of<InvalidArgument>(
        [&] { const PicturePairs refused(paths, signal_of_row, captions, options); });
  }

  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<std::vector<std::uint8_t>> expected;
  std::vector<Index> signal_of_row;
  std::vector<std::vector<Token>> captions;
};

std::vector<std::uint8_t> load(const PicturePairs& pairs, std::vector<Index> signals) {
  std::vector<std::uint8_t> loaded(signals.size() * pairs.elements());
  pairs.load_signals(signals, {loaded.data(), {signals.size(), pairs.elements()}});
  return loaded;
}

TEST_F(PicturePairsTest, HasThePicturesAsClipSeesThemAndTheCaptions) {
  const PicturePairs loaded = pairs();
  EXPECT_EQ(loaded.rows(), 22U);
  EXPECT_EQ(loaded.signals(), 11U);
  EXPECT_EQ(loaded.elements(), elements);
  EXPECT_EQ(loaded.size(), side);
  EXPECT_EQ(loaded.path(3), paths[3]);
  EXPECT_EQ(loaded.signal_of(14), 3U);
  EXPECT_THAT(loaded.caption(14), ElementsAre(1, 19, 2));
  for (Index i = 0; i < 11; ++i) EXPECT_EQ(load(loaded, {i}), expected[i]) << i;
}

TEST_F(PicturePairsTest, MemoryAndThreadsChangeNothing) {
  const std::vector<Index> signals{10, 0, 5, 5, 3, 9, 1, 2, 8, 4};
  std::vector<std::uint8_t> all;
  for (const Index i : signals) all.insert(all.end(), expected[i].begin(), expected[i].end());
  for (const std::size_t memory : {std::size_t{0}, elements - 1, 4 * elements, 11 * elements}) {
    for (const unsigned threads : {0U, 1U, 3U, 16U}) {
      const PicturePairs loaded = pairs({.memory_bytes = memory, .threads = threads});
      EXPECT_EQ(load(loaded, signals), all) << memory << " bytes, " << threads << " threads";
      EXPECT_EQ(load(loaded, signals), all) << memory << " bytes, " << threads << " threads";
    }
  }
}

TEST_F(PicturePairsTest, EachFileIsReadOnce) {
  const TemporaryDirectory scratch;
  const PicturePairs partly =
      pairs({.memory_bytes = 4 * elements, .scratch_folder = scratch.path()});
  for (const std::string& path : paths) std::filesystem::remove(path);
  EXPECT_TRUE(testing::names_in(scratch.path()).empty());  // it has no name
  for (const Index i : {0U, 3U, 4U, 10U}) EXPECT_EQ(load(partly, {i}), expected[i]) << i;
}

TEST_F(PicturePairsTest, AFullDiskIsAnError) {
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

TEST_F(PicturePairsTest, AScratchFolderThatIsNotThereIsAnError) {
  EXPECT_THAT(message_of<FileError>(
                  [&] { (void)pairs({.memory_bytes = 0, .scratch_folder = directory / "none"}); }),
              HasSubstr("expected to make a temporary file, got No such file"));
}

TEST_F(PicturePairsTest, PreparesEachPictureOnceAsItIsDecoded) {
  std::atomic<int> calls = 0;
  const PicturePairs prepared =
      pairs({.memory_bytes = 4 * elements, .prepare = [&](Picture& picture) {
               ++calls;
               picture = resize(picture, 3, 4);
             }});
  EXPECT_EQ(calls, 11);
  for (const Index i : {2U, 9U}) {
    const Picture small = resize(read_picture(paths[i]), 3, 4);
    EXPECT_EQ(load(prepared, {i}), clip_crop(small, side).rgb) << i;
  }
  EXPECT_EQ(calls, 11);
}

/// Writes a draw of the generator into a picture's first pixels.
void sign(Picture& picture, std::mt19937_64& rng) {
  for (std::size_t i = 0; i < 8; ++i) picture.rgb[i] = static_cast<std::uint8_t>(rng() >> 56U);
}

TEST_F(PicturePairsTest, AugmentsAfreshInEachDraw) {
  const PicturePairs augmented = pairs({.augment = sign});
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

TEST_F(PicturePairsTest, AugmentationsAreThoseOfTheDrawWhateverTheThreadsAndMemory) {
  const std::vector<Index> signals{10, 0, 5, 5, 3, 9};
  std::vector<std::vector<std::uint8_t>> draws;
  const PicturePairs first = pairs({.threads = 1, .augment = sign});
  for (int draw = 0; draw < 4; ++draw) draws.push_back(load(first, signals));
  EXPECT_NE(draws[2], draws[3]);
  for (const std::size_t memory : {std::size_t{0}, 5 * elements, 11 * elements}) {
    for (const unsigned threads : {1U, 3U}) {
      PicturePairs resumed = pairs({.memory_bytes = memory, .threads = threads, .augment = sign});
      resumed.set_draw(2);
      EXPECT_EQ(load(resumed, signals), draws[2]);
      EXPECT_EQ(load(resumed, signals), draws[3]);
      resumed.set_draw(0);
      EXPECT_EQ(load(resumed, signals), draws[0]);
    }
  }
  EXPECT_NE(load(pairs({.augment = sign, .augment_seed = 1}), signals), draws[0]);
}

TEST_F(PicturePairsTest, WithoutAugmentationNothingIsCounted) {
  const PicturePairs loaded = pairs();
  (void)load(loaded, {1});
  EXPECT_EQ(loaded.draw(), 0U);
}

TEST_F(PicturePairsTest, AnAugmentationMustLeaveTheSize) {
  const PicturePairs augmented = pairs(
      {.augment = [](Picture& picture, std::mt19937_64&) { picture = center_crop(picture, 5); }});
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)load(augmented, {1}); }),
            "augmented picture: expected 6 x 6 pixels, got 5 x 5");
}

TEST_F(PicturePairsTest, TellsHowFarItIs) {
  paths.resize(70, paths[0]);
  std::vector<std::pair<std::size_t, std::size_t>> told;
  const auto tell = [&](std::size_t done, std::size_t all) { told.emplace_back(done, all); };
  (void)pairs({.threads = 1, .progress = tell});
  EXPECT_EQ(told, (std::vector<std::pair<std::size_t, std::size_t>>{{32, 70}, {64, 70}, {70, 70}}));
}

TEST_F(PicturePairsTest, TheCallbackCanStopTheReading) {
  const auto stop = [](std::size_t, std::size_t) { throw std::runtime_error("enough"); };
  EXPECT_THROW((void)pairs({.progress = stop}), std::runtime_error);
}

TEST_F(PicturePairsTest, TheFirstBadPictureIsTheErrorForAnyNumberOfThreads) {
  write_file(paths[4], "");
  write_file(paths[5], "GIF89a");
  std::filesystem::remove(paths[9]);
  for (const std::size_t memory : {0U, 1'000'000U}) {
    for (const unsigned threads : {1U, 2U, 4U, 11U}) {
      EXPECT_EQ(
          message_of<FileError>([&] { (void)pairs({.memory_bytes = memory, .threads = threads}); }),
          "file '" + paths[4] + "', beginning: expected a JPEG, PNG or WebP picture, got no bytes");
    }
  }
}

TEST_F(PicturePairsTest, ListsAllBadPictures) {
  EXPECT_TRUE(unreadable_pictures(paths).empty());
  EXPECT_TRUE(unreadable_pictures({}).empty());
  write_file(paths[4], "");
  write_file(paths[10], "GIF89a");
  for (const unsigned threads : {1U, 3U}) {
    const auto bad = unreadable_pictures(paths, {}, Parallel{threads});
    ASSERT_EQ(bad.size(), 2U);
    EXPECT_EQ(bad[0].index, 4U);
    EXPECT_EQ(bad[1].index, 10U);
    EXPECT_EQ(bad[1].path, paths[10]);
    EXPECT_EQ(bad[1].problem, "file '" + paths[10] +
                                  "', beginning: expected a JPEG, PNG or WebP picture, got the "
                                  "bytes 47 49 46 38 39 61");
  }
  EXPECT_EQ(unreadable_pictures(paths, {.side = 8}).size(), 7U + 2);
}

TEST_F(PicturePairsTest, LimitsAreThoseOfTheOptions) {
  EXPECT_THAT(message_of<FileError>([&] { (void)pairs({.limits = {.pixels = 60}}); }),
              HasSubstr("pixels: expected at most 60"));
}

TEST_F(PicturePairsTest, RefusesASizeWithoutPixels) {
  EXPECT_EQ(refusal({.size = 0}), "size: expected 1 to 16384, got 0");
  EXPECT_EQ(refusal({.size = 16'385}), "size: expected 1 to 16384, got 16385");
}

TEST_F(PicturePairsTest, RefusesListsOfDifferentLengths) {
  captions.pop_back();
  EXPECT_EQ(refusal(), "captions: expected 22, got 21");
}

TEST_F(PicturePairsTest, RefusesToHaveNoRows) {
  captions.clear();
  signal_of_row.clear();
  EXPECT_EQ(refusal(), "rows: expected at least one, got 0");
}

TEST_F(PicturePairsTest, RefusesARowOfAPictureThatIsNotThere) {
  signal_of_row[7] = 11;
  EXPECT_EQ(refusal(), "row 7, picture: expected less than 11, got 11");
}

TEST_F(PicturePairsTest, RefusesCaptionsWithoutTokensAndNegativeTokens) {
  captions[8].clear();
  EXPECT_EQ(refusal(), "row 8, tokens: expected at least one, got 0");
  captions[8] = {1, -4, 2};
  EXPECT_EQ(refusal(), "row 8, token: expected at least 0, got -4");
}

TEST_F(PicturePairsTest, RefusesToLoadWhatIsNotThere) {
  const PicturePairs loaded = pairs();
  std::vector<std::uint8_t> room(2 * elements);
  const auto loading = [&](std::vector<Index> signals, std::array<std::size_t, 2> shape) {
    return message_of<InvalidArgument>([&] { loaded.load_signals(signals, {room.data(), shape}); });
  };
  EXPECT_EQ(loading({0, 11}, {2, elements}), "signal: expected less than 11, got 11");
  EXPECT_EQ(loading({0}, {2, elements}), "rows of the signals: expected 1, got 2");
  EXPECT_EQ(loading({0, 1}, {2, 5}), "numbers in a signal: expected 108, got 5");
}

}  // namespace
}  // namespace unlearn::clip
