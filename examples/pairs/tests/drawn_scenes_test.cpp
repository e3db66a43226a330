// SPDX-License-Identifier: Apache-2.0
#include "pairs/scenes/drawn_scenes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "pairs/captions/caption_file.hpp"
#include "pairs/scenes/scene_colours.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/checksum.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::message_of;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

std::set<std::string> words_of(const std::string& caption) {
  std::istringstream in(caption);
  std::set<std::string> words;
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

TEST(Scene, HasAtMostThreeThingsThatStandOut) {
  std::mt19937_64 rng(7);
  std::set<std::size_t> totals;
  for (int i = 0; i < 5000; ++i) {
    const Scene scene = random_scene(rng);
    std::size_t total = 0;
    std::set<Colour> used;
    for (const Things& things : scene.things) {
      total += things.count;
      EXPECT_TRUE(stands_out(things.colour, scene.ground));
      EXPECT_TRUE(used.insert(things.colour).second);
    }
    totals.insert(total);
  }
  EXPECT_THAT(totals, ElementsAre(1, 2, 3));
}

TEST(Scene, LeavesEachGroundSeveralColours) {
  for (std::size_t ground = 0; ground < ground_count; ++ground) {
    int colours_left = 0;
    for (std::size_t colour = 0; colour < colour_count; ++colour) {
      colours_left += stands_out(static_cast<Colour>(colour), static_cast<Ground>(ground)) ? 1 : 0;
    }
    EXPECT_GE(colours_left, 4) << "ground " << ground;
  }
}

TEST(Caption, NamesWhatThereIs) {
  const Scene scene{.ground = Ground::grass,
                    .things = {{.count = 1,
                                .size = Size::large,
                                .colour = Colour::orange,
                                .shape = Shape::triangle,
                                .place = Place::left},
                               {.count = 2,
                                .size = Size::small,
                                .colour = Colour::white,
                                .shape = Shape::cross,
                                .place = Place::right}}};
  std::mt19937_64 rng(1);
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(
        random_caption(scene, rng),
        AllOf(EndsWith(" ."), HasSubstr("orange"), HasSubstr("triangle"), HasSubstr("white"),
              HasSubstr("crosses"), ::testing::AnyOf(HasSubstr("left"), HasSubstr("right")),
              ::testing::AnyOf(HasSubstr("grass"), HasSubstr("lawn"), HasSubstr("meadow")),
              MatchesRegex("[a-z, .]+")));
  }
}

TEST(Render, ShowsTheThingWhereItIs) {
  const Scene scene{.ground = Ground::snow,
                    .things = {{.count = 1,
                                .size = Size::large,
                                .colour = Colour::black,
                                .shape = Shape::circle,
                                .place = Place::top_right}}};
  const Image image = render(scene, 32, 3);
  const auto pixel = [&](std::size_t row, std::size_t column) {
    return image.rgb.at((row * 32 + column) * 3);
  };
  EXPECT_LT(pixel(8, 24), 80);
  EXPECT_GT(pixel(8, 8), 170);
  EXPECT_GT(pixel(24, 24), 170);
  EXPECT_NE(render(scene, 32, 4), image);  // the accidents are others
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)render(scene, 7, 3); }),
            "side of an image: expected 8 to 1024, got 7");
}

TEST(DrawnScenes, HaveDifferentScenesAndCaptions) {
  const DrawnScenes drawn({.train = 2000, .test = 500, .captions_per_image = 3});
  ASSERT_EQ(drawn.size(), 2500U);
  EXPECT_EQ(drawn.split(1999), "train");
  EXPECT_EQ(drawn.split(2000), "test");
  std::set<Scene> scenes;
  std::set<std::string> captions;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_TRUE(scenes.insert(drawn.scene(i)).second) << i;
    ASSERT_EQ(drawn.captions(i).size(), 3U);
    for (const std::string& caption : drawn.captions(i)) {
      EXPECT_TRUE(captions.insert(caption).second) << caption;
    }
  }
}

/// No caption fits two scenes: else a set could hold two right answers.
TEST(DrawnScenes, OfAHundredThousandCaptionsNoneFitsTwo) {
  std::mt19937_64 rng(5);
  std::map<std::string, Scene> meaning;
  for (int i = 0; i < 100'000; ++i) {
    const Scene scene = random_scene(rng);
    const auto [at, is_new] = meaning.emplace(random_caption(scene, rng), scene);
    ASSERT_TRUE(is_new || at->second == scene) << at->first;
  }
}

TEST(DrawnScenes, TestNoWordThatTrainingDoesNotHave) {
  for (const std::size_t train : {60U, 300U, 2000U}) {
    const DrawnScenes drawn({.train = train, .test = 100, .captions_per_image = 2, .seed = 4});
    std::set<std::string> known;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      for (const std::string& caption : drawn.captions(i)) {
        const std::set<std::string> words = words_of(caption);
        if (i < train) {
          known.insert(words.begin(), words.end());
        } else {
          EXPECT_TRUE(std::ranges::includes(known, words)) << caption;
        }
      }
    }
  }
}

TEST(DrawnScenes, AreTheSameForASeedOnEveryMachine) {
  const auto checksum = [](const DrawnScenesOptions& options) {
    const DrawnScenes drawn(options);
    Checksum sum;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      const Image image = drawn.image(i);
      sum.update(std::as_bytes(std::span(image.rgb)));
      for (const std::string& caption : drawn.captions(i)) {
        sum.update(std::as_bytes(std::span(caption)));
      }
    }
    return sum.value();
  };
  DrawnScenesOptions options{.train = 200, .test = 20, .size = 16};
  EXPECT_EQ(checksum(options), 6038122332698199326U);
  options.seed = 2;
  EXPECT_EQ(checksum(options), 3923398093919869865U);
}

TEST(DrawnScenes, FadeToGreyByTheirContrast) {
  const DrawnScenes bright({.train = 20, .test = 0, .size = 16, .seed = 4});
  const DrawnScenes foggy({.train = 20, .test = 0, .size = 16, .contrast = 20, .seed = 4});
  for (std::size_t i = 0; i < bright.size(); ++i) {
    EXPECT_EQ(foggy.captions(i), bright.captions(i));
    const Image full = bright.image(i);
    const Image faded = foggy.image(i);
    ASSERT_EQ(faded.rgb.size(), full.rgb.size());
    for (std::size_t n = 0; n < full.rgb.size(); ++n) {
      EXPECT_NEAR(faded.rgb[n], 128 + 0.2 * (full.rgb[n] - 128), 0.5);
    }
  }
}

TEST(DrawnScenes, WriteImagesAndCaptions) {
  const TemporaryDirectory directory;
  const std::string out = directory / "made/here";
  const DrawnScenes drawn({.train = 60, .test = 3, .size = 8});
  std::size_t told = 0;
  drawn.write(out, [&](std::size_t done, std::size_t all) {
    EXPECT_EQ(done, ++told);
    EXPECT_EQ(all, 63U);
  });
  EXPECT_EQ(told, 63U);
  EXPECT_THAT(names_in(out), ElementsAre("captions.csv", "images"));
  EXPECT_EQ(names_in(out + "/images").size(), 63U);
  const std::vector<CaptionRow> rows = read_captions(out + "/captions.csv");
  ASSERT_EQ(rows.size(), 126U);
  EXPECT_EQ(rows[1], (CaptionRow{"00001.png", drawn.captions(0)[1], "train"}));
  EXPECT_EQ(rows[120], (CaptionRow{"00061.png", drawn.captions(60)[0], "test"}));
  EXPECT_EQ(read_image(out + "/images/00063.png"), drawn.image(62));
}

TEST(DrawnScenes, LeaveAFolderAloneThatHasSomethingInIt) {
  const TemporaryDirectory directory;
  const DrawnScenes drawn({.train = 60, .test = 3, .size = 8});
  write_file(directory / "mine", "text");
  EXPECT_EQ(message_of<FileError>([&] { drawn.write(directory.path()); }),
            "output folder '" + directory.path() +
                "': expected a new or an empty one, got one with something in it");
  EXPECT_THAT(names_in(directory.path()), ElementsAre("mine"));
  EXPECT_THAT(message_of<FileError>([&] { drawn.write(directory / "mine"); }),
              HasSubstr("expected a new or an empty one"));
}

TEST(DrawnScenes, RefuseNumbersOutOfRange) {
  EXPECT_THROW(DrawnScenes({.contrast = 0}), InvalidArgument);
  EXPECT_THROW(DrawnScenes({.contrast = 101}), InvalidArgument);
  const auto message = [](const DrawnScenesOptions& options) {
    return message_of<InvalidArgument>([&] { (void)DrawnScenes(options); });
  };
  EXPECT_EQ(message({.train = 0}), "training images: expected 1 to 99999, got 0");
  EXPECT_EQ(message({.train = 99'000, .test = 1000}), "test images: expected 0 to 999, got 1000");
  EXPECT_EQ(message({.captions_per_image = 11}), "captions per image: expected 1 to 10, got 11");
  EXPECT_EQ(message({.size = 2000}), "side of an image: expected 8 to 1024, got 2000");
  EXPECT_EQ(message({.train = 1, .test = 500}),
            "training images: expected more, so that their captions have the words of the test "
            "images', got 1");
}

}  // namespace
}  // namespace unlearn::pairs
