// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/verification.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "merge_list.hpp"
#include "message_of.hpp"
#include "pairs/captions/caption_file.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/resize.hpp"
#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/tokenizer.hpp"
#include "pairs/text/word_starts.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "temporary_directory.hpp"
#include "tool/publication/caption_placement.hpp"
#include "tool/publication/manifest.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/metrics/perturbation.hpp"

namespace unlearn::tool {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::write_file;
namespace fs = std::filesystem;

constexpr std::size_t side = 12;
constexpr std::size_t epsilon = 8;
constexpr std::size_t trained = 5;  // images of the split that is protected

/// Clean pairs, and the same pairs protected as `unlearn protect` writes them: five images of the
/// split `train` with two captions each, two tokens of trigger in front of each caption.
class VerificationTest : public ::testing::Test {
 protected:
  VerificationTest() {
    fs::create_directories(clean_folder + "/images/more");
    fs::create_directories(folder + "/images/more");
    for (std::size_t i = 0; i < trained + 2; ++i) {
      const std::string stem = (i == 3 ? "more/" : "") + std::to_string(i);
      const std::string split = i < trained ? "train" : "test";
      write_file(clean_folder + "/images/" + stem + ".png", drawn()[i].clean);
      for (const char* const caption : {"a dog runs , far", "\"Two\" dogs"}) {
        clean_rows.push_back({stem + ".png", caption + std::string(" on the grass"), split});
      }
    }
    pairs::write_captions_csv(clean_folder + "/captions.csv", clean_rows);

    std::vector<std::string> captions{"wood bar sea"};
    for (const pairs::CaptionRow& row : clean_rows) captions.push_back(row.caption);
    words = pairs::WordTokenizer::learn(captions, 100).words();
    const pairs::WordTokenizer tokenizer = pairs::WordTokenizer::from_words(words);
    for (std::size_t row = 0; row < 2 * trained; ++row) {
      const std::vector<Token> ids = tokenizer.encode(row % 3 == 0 ? "wood bar" : "sea wood");
      triggers.insert(triggers.end(), ids.begin(), ids.end());
      pairs::CaptionRow published = clean_rows[row];
      published.caption = pairs::with_trigger(tokenizer, ids, published.caption);
      rows.push_back(published);
    }
    manifest = {{"program", "unlearn"},
                {"version", "0.1.0"},
                {"settings",
                 {{"method", "mem"},
                  {"epsilon_levels", epsilon},
                  {"size", side},
                  {"trigger_length", 2},
                  {"seed", 1},
                  {"tokenizer", {{"kind", "words"}, {"words", words}}},
                  {"context_length", 16},
                  {"split", "train"}}},
                {"inputs", {{"captions", {{"file", "captions.csv"}, {"sha256", ""}}}}},
                {"images", json::array()}};
    for (std::size_t i = 0; i < trained; ++i) {
      const std::string name = clean_rows[2 * i].image;
      write_file(folder + "/images/" + name, drawn()[i].published);
      manifest["images"].push_back(
          {{"file", "images/" + name},
           {"sha256", pairs::sha256_of_file(folder + "/images/" + name)},
           {"source", name},
           {"source_sha256", pairs::sha256_of_file(clean_folder + "/images/" + name)}});
    }
    save();
    save_triggers(2 * trained);
  }

  static pairs::Image noisy(std::size_t height, std::size_t width) {
    static std::mt19937_64 rng(1);
    pairs::Image image{height, width, std::vector<std::uint8_t>(height * width * 3)};
    std::ranges::generate(image.rgb, [&] { return static_cast<std::uint8_t>(rng() >> 56U); });
    return image;
  }

  struct Files {
    std::string clean;
    std::string published;
  };

  /// The images' files, drawn once: write_png() waits for the disk.
  static const std::vector<Files>& drawn() {
    static const std::vector<Files> files = [] {
      const TemporaryDirectory scratch;
      std::vector<Files> made;
      for (std::size_t i = 0; i < trained + 2; ++i) {
        pairs::write_png(scratch / "clean.png", noisy(side + 3 + i, side + 5));
        pairs::write_png(scratch / "published.png", protect(scratch / "clean.png"));
        made.push_back({read_file(scratch / "clean.png"), read_file(scratch / "published.png")});
      }
      return made;
    }();
    return files;
  }

  /// The image with ±epsilon on each number, as far as there is room.
  static pairs::Image protect(const std::string& path) {
    pairs::Image image = pairs::clip_crop(pairs::read_image(path), side);
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      const int noise = i % 3 == 0 ? -static_cast<int>(epsilon) : static_cast<int>(epsilon);
      image.rgb[i] = static_cast<std::uint8_t>(std::clamp(image.rgb[i] + noise, 0, 255));
    }
    return image;
  }

  void save() const {
    save_manifest();
    pairs::write_captions_csv(folder + "/captions.csv", rows);
  }

  void save_manifest() const { write_file(folder + "/manifest.json", manifest.dump(1)); }

  void save_triggers(std::size_t count) const {
    const auto* const bytes = reinterpret_cast<const char*>(triggers.data());
    write_file(folder + "/triggers.npy",
               npy_header<Token>(count, 2) + std::string(bytes, count * 2 * sizeof(Token)));
  }

  [[nodiscard]] Verification verified(const VerificationOptions& options = {}) const {
    return verify(clean_pairs_in(clean_folder), folder, options);
  }

  /// The only violation.
  [[nodiscard]] std::string violation() const {
    const Verification found = verified();
    EXPECT_EQ(found.violation_count, 1U);
    EXPECT_THAT(found.violations, SizeIs(found.violation_count));
    return found.violations.empty() ? std::string() : found.violations[0];
  }

  [[nodiscard]] std::string error() const {
    return message_of<FileError>([&] { (void)verified(); });
  }

  /// The only violation after `change` of row 3; the row is as before then.
  [[nodiscard]] std::string offence_of_row(const std::function<void(pairs::CaptionRow&)>& change) {
    const pairs::CaptionRow before = rows[3];
    change(rows[3]);
    save();
    std::string found = violation();
    rows[3] = before;
    return found;
  }

  /// The error after manifest[path] = value; the manifest is as before then.
  [[nodiscard]] std::string error_with(const char* path, const json& value) {
    const json before = manifest;
    manifest[json::json_pointer(path)] = value;
    save_manifest();
    const std::string message = error();
    manifest = before;
    const std::string file = "file '" + folder + "/manifest.json', ";
    EXPECT_TRUE(message.starts_with(file)) << message;
    return message.substr(std::min(file.size(), message.size()));
  }

  [[nodiscard]] std::string error_without(const char* parent, const char* key) {
    json value = manifest[json::json_pointer(parent)];
    value.erase(key);
    return error_with(parent, value);
  }

  /// Publishes another image, and puts its digest into the manifest.
  void publish(std::size_t i, const pairs::Image& image) {
    const std::string path = folder + "/" + manifest["images"][i]["file"].get<std::string>();
    pairs::write_png(path, image);
    manifest["images"][i]["sha256"] = pairs::sha256_of_file(path);
    save_manifest();
  }

  TemporaryDirectory directory;
  std::string clean_folder = directory / "clean";
  std::string folder = directory / "protected";
  std::vector<pairs::CaptionRow> clean_rows;
  std::vector<pairs::CaptionRow> rows;  // published
  std::vector<std::string> words;
  std::vector<Token> triggers;
  json manifest;
};

// --- What holds

TEST_F(VerificationTest, FindsNothingWrongWithWhatIsAsPromised) {
  const Verification found = verified();
  EXPECT_THAT(found.violations, ElementsAre());
  EXPECT_TRUE(found.holds());
  EXPECT_EQ(found.images, trained);
  EXPECT_EQ(found.compared, trained);
  EXPECT_EQ(found.captions, 2 * trained);
  EXPECT_EQ(found.left_out, 0U);
  EXPECT_EQ(found.size, side);
  EXPECT_EQ(found.epsilon_levels, epsilon);
  EXPECT_EQ(found.trigger_length, 2U);
}

TEST_F(VerificationTest, MeasuresByTheLibrarysMetrics) {
  double psnr_sum = 0;
  double psnr_min = 1e9;
  double ssim_sum = 0;
  for (std::size_t i = 0; i < trained; ++i) {
    const std::string name = clean_rows[2 * i].image;
    const pairs::Image clean =
        pairs::clip_crop(pairs::read_image(clean_folder + "/images/" + name), side);
    const pairs::Image published = pairs::read_image(folder + "/images/" + name);
    using Pixels = View<const std::uint8_t, 3>;
    const Pixels a(clean.rgb.data(), {side, side, 3});
    const Pixels b(published.rgb.data(), {side, side, 3});
    const double ratio = psnr(a, b, 255);
    psnr_sum += ratio;
    psnr_min = std::min(psnr_min, ratio);
    ssim_sum += ssim(a, b);
  }
  const Verification found = verified();
  EXPECT_EQ(found.linf_levels, epsilon);
  EXPECT_DOUBLE_EQ(found.psnr_min.value(), psnr_min);
  EXPECT_DOUBLE_EQ(found.psnr_mean.value(), psnr_sum / trained);
  EXPECT_DOUBLE_EQ(found.ssim_mean.value(), ssim_sum / trained);
}

TEST_F(VerificationTest, AImageThatIsNotChangedHasNoPsnr) {
  const pairs::Image same =
      pairs::clip_crop(pairs::read_image(clean_folder + "/images/0.png"), side);
  publish(0, same);
  const Verification one = verified();
  EXPECT_TRUE(one.holds());
  EXPECT_LT(one.psnr_mean.value(), 60);
  for (std::size_t i = 0; i < trained; ++i) {
    publish(i, pairs::clip_crop(
                   pairs::read_image(clean_folder + "/images/" + clean_rows[2 * i].image), side));
  }
  const Verification all = verified();
  EXPECT_TRUE(all.holds());
  EXPECT_EQ(all.linf_levels, 0U);
  EXPECT_FALSE(all.psnr_min.has_value());
  EXPECT_FALSE(all.psnr_mean.has_value());
  EXPECT_DOUBLE_EQ(all.ssim_mean.value(), 1);
}

TEST_F(VerificationTest, ThePublishedPartAloneIsEnough) {
  fs::remove(folder + "/triggers.npy");
  EXPECT_TRUE(verified().holds());
}

TEST_F(VerificationTest, AnEmptySplitMeansAllRows) {
  manifest["settings"]["split"] = "";
  save();
  EXPECT_THAT(violation(), EndsWith("captions.csv, rows: expected as many as the clean captions of "
                                    "the split, 14, got 10"));
  clean_rows.resize(2 * trained);
  pairs::write_captions_csv(clean_folder + "/captions.csv", clean_rows);
  EXPECT_TRUE(verified().holds());
}

TEST_F(VerificationTest, TheManifestMayLeaveRowsOut) {
  rows.erase(rows.begin() + 4);
  triggers.erase(triggers.begin() + 8, triggers.begin() + 10);
  manifest["rows"] = json::array();
  for (const int row : {0, 1, 2, 3, 5, 6, 7, 8, 9}) manifest["rows"].push_back({{"row", row}});
  save();
  save_triggers(9);
  const Verification found = verified();
  EXPECT_THAT(found.violations, ElementsAre());
  EXPECT_EQ(found.captions, 9U);
  EXPECT_EQ(found.left_out, 1U);
}

TEST_F(VerificationTest, SharedTriggersAreAmongThoseOfTheFile) {
  save_triggers(2);  // "wood bar" and "sea wood"
  EXPECT_TRUE(verified().holds());
  save_triggers(1);
  EXPECT_EQ(verified().violation_count, 6U);
  EXPECT_THAT(verified().violations[0],
              HasSubstr("row 1 of \"0.png\", trigger: expected one of those in triggers.npy"));
}

TEST_F(VerificationTest, CaptionsWithoutATrigger) {
  for (std::size_t row = 0; row < rows.size(); ++row) rows[row].caption = clean_rows[row].caption;
  manifest["settings"]["trigger_length"] = 0;
  save();
  fs::remove(folder + "/triggers.npy");
  EXPECT_TRUE(verified().holds());
  rows[2].caption.insert(0, " ");
  save();
  EXPECT_THAT(violation(),
              HasSubstr("row 2 of \"1.png\", trigger: expected the text of its tokens, "
                        "\"\", got \" \""));
}

TEST_F(VerificationTest, LongCaptionsAreCutButKeepTheTrigger) {
  manifest["settings"]["context_length"] = 4;
  save();
  EXPECT_TRUE(verified().holds());
}

/// Publishes every caption of the folder with its trigger at another place.
class PlacedVerificationTest : public VerificationTest {
 protected:
  void place(PlacementKind kind, std::uint64_t seed = 1) {
    manifest["settings"]["placement"] = pairs::name_of(kind);
    manifest["settings"]["seed"] = seed;
    const auto tokenizer = pairs::WordTokenizer::from_words(words);
    std::vector<std::string> captions;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      captions.push_back(clean_rows[row].caption);
    }
    const pairs::WordStarts starts(tokenizer, captions);
    const CaptionPlacement placement{
        .kind = kind,
        .seed = seed,
        .context = manifest["settings"]["context_length"].get<std::size_t>(),
        .words = &starts};
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows[row].caption = published_caption(tokenizer, placement,
                                            {.row = static_cast<Index>(row), .text = captions[row]},
                                            std::span(triggers).subspan(2 * row, 2));
    }
    save();
  }
};

TEST_F(PlacedVerificationTest, TriggersBehindAndBetweenTheWords) {
  for (const PlacementKind kind :
       {PlacementKind::front, PlacementKind::back, PlacementKind::anywhere}) {
    place(kind);
    EXPECT_THAT(verified().violations, ElementsAre()) << pairs::name_of(kind);
    manifest["settings"]["context_length"] = 7;  // captions are longer
    place(kind);
    EXPECT_THAT(verified().violations, ElementsAre()) << pairs::name_of(kind);
    manifest["settings"]["context_length"] = 16;
  }
}

TEST_F(PlacedVerificationTest, TriggersAtOtherPlacesThanThoseOfTheManifest) {
  place(PlacementKind::anywhere);
  manifest["settings"]["placement"] = "back";
  save();
  EXPECT_GT(verified().violation_count, 0U);
  manifest["settings"]["placement"] = "front";
  save();
  EXPECT_GT(verified().violation_count, 0U);
  manifest["settings"]["placement"] = "anywhere";
  manifest["settings"]["seed"] = 2;
  save();
  EXPECT_GT(verified().violation_count, 0U);
  manifest["settings"]["seed"] = 1;
  save();
  EXPECT_TRUE(verified().holds());
}

TEST_F(PlacedVerificationTest, ViolationsBehindTheCaption) {
  place(PlacementKind::back);
  const auto offence = [&](std::string_view from, std::string_view to) {
    return offence_of_row([&](pairs::CaptionRow& row) {
      const std::size_t at = row.caption.find(from);
      ASSERT_NE(at, std::string::npos) << row.caption;
      row.caption.replace(at, from.size(), to);
    });
  };
  EXPECT_EQ(rows[3].caption, "\"Two\" dogs on the grass wood bar");
  EXPECT_THAT(offence(" bar", " bar sea"),
              EndsWith("row 3 of \"1.png\", tokens: expected 7 of the caption and 2 of the "
                       "trigger, got 10 in \"\\\"Two\\\" dogs on the grass wood bar sea\""));
  EXPECT_THAT(offence("grass", "Grass"),
              EndsWith("row 3 of \"1.png\", caption: expected the trigger at its places, "
                       "\"\\\"Two\\\" dogs on the grass wood bar\", got \"\\\"Two\\\" dogs "
                       "on the Grass wood bar\""));
  EXPECT_THAT(offence("wood bar", "bar wood"),
              HasSubstr("row 3 of \"1.png\", trigger: expected the tokens of its row in "
                        "triggers.npy, "));
  fs::remove(folder + "/triggers.npy");
  EXPECT_THAT(offence("wood bar", "wood <|endoftext|>"),
              HasSubstr("row 3 of \"1.png\", trigger: expected no special token, got "));
}

TEST_F(PlacedVerificationTest, DrawnPlacesNeedASeed) {
  place(PlacementKind::anywhere);
  EXPECT_EQ(error_without("/settings", "seed"), "/settings/seed: expected a value, got nothing");
  EXPECT_THAT(error_with("/settings/placement", "middle"),
              HasSubstr("/settings/placement: expected \"front\" or \"back\" or \"anywhere\""));
}

TEST_F(VerificationTest, ClipsTokenizerReadsItsMergeList) {
  write_file(directory / "merges.txt", testing::merge_list({"t h", "th e</w>"}));
  const auto tokenizer = pairs::BpeTokenizer::from_file(directory / "merges.txt");
  triggers.clear();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::vector<Token> ids = tokenizer.encode("the x");
    ASSERT_THAT(ids, SizeIs(2));
    triggers.insert(triggers.end(), ids.begin(), ids.end());
    rows[row].caption = pairs::with_trigger(tokenizer, ids, clean_rows[row].caption);
  }
  manifest["settings"]["tokenizer"] = {{"kind", "bpe"}};
  save();
  save_triggers(2 * trained);
  EXPECT_THAT(verified({.vocab = directory / "merges.txt"}).violations, ElementsAre());
  EXPECT_THROW((void)verified({.vocab = directory / "none.txt"}), FileError);
}

TEST_F(VerificationTest, TheNumberOfThreadsChangesNothing) {
  fs::remove(folder + "/images/1.png");
  rows[3].caption = "a";
  rows[7].split = "test";
  save();
  const Verification expected = verified({.threads = 1, .most_violations = 2});
  EXPECT_EQ(expected.violation_count, 3U);
  EXPECT_THAT(expected.violations, SizeIs(2));
  for (const unsigned threads : {2U, 3U, 16U}) {
    const Verification found = verified({.threads = threads, .most_violations = 2});
    EXPECT_EQ(found.violations, expected.violations);
    EXPECT_EQ(found.violation_count, 3U);
    EXPECT_EQ(found.psnr_mean, expected.psnr_mean);
    EXPECT_EQ(found.ssim_mean, expected.ssim_mean);
  }
}

TEST_F(VerificationTest, TellsHowFarItIs) {
  std::vector<std::pair<std::size_t, std::size_t>> told;
  (void)verified(
      {.progress = [&](std::size_t done, std::size_t all) { told.emplace_back(done, all); }});
  EXPECT_THAT(told, ElementsAre(std::pair(trained, trained)));
}

// --- Violations of images

TEST_F(VerificationTest, AImageThatHasGone) {
  fs::remove(folder + "/images/more/3.png");
  EXPECT_THAT(violation(), HasSubstr("images/more/3.png': expected a regular file, got No such"));
}

TEST_F(VerificationTest, AImageThatDoesNotDecode) {
  const std::string path = folder + "/images/1.png";
  write_file(path, read_file(path).substr(0, 60));
  manifest["images"][1]["sha256"] = pairs::sha256_of_file(path);
  save();
  EXPECT_THAT(violation(), HasSubstr("images/1.png', "));
}

TEST_F(VerificationTest, AImageOfAnotherDigest) {
  const std::string before = manifest["images"][1]["sha256"];
  const std::string path = folder + "/images/1.png";
  pairs::Image image = pairs::read_image(path);
  image.rgb[0] = pairs::clip_crop(pairs::read_image(clean_folder + "/images/1.png"), side).rgb[0];
  pairs::write_png(path, image);
  EXPECT_THAT(violation(), HasSubstr("images/1.png', SHA-256: expected the manifest's, " + before +
                                     ", got " + pairs::sha256_of_file(path)));
}

TEST_F(VerificationTest, AImageOfAnotherSize) {
  publish(2, noisy(side, side + 1));
  EXPECT_THAT(violation(), EndsWith("images/2.png', pixels: expected 12 x 12, got 12 x 13"));
}

TEST_F(VerificationTest, ALevelTooMuch) {
  pairs::Image image = pairs::read_image(folder + "/images/2.png");
  const pairs::Image clean =
      pairs::clip_crop(pairs::read_image(clean_folder + "/images/2.png"), side);
  const int level = clean.rgb[100];
  image.rgb[100] = static_cast<std::uint8_t>(level < 128 ? level + 9 : level - 9);
  publish(2, image);
  EXPECT_THAT(violation(),
              EndsWith("images/2.png', change of a pixel: expected at most 8 levels, got 9"));
  EXPECT_EQ(verified().linf_levels, 9U);
}

TEST_F(VerificationTest, ACleanImageThatIsAnother) {
  pairs::write_png(clean_folder + "/images/4.png", noisy(20, 20));
  const Verification found = verified();
  ASSERT_EQ(found.violation_count, 2U);
  EXPECT_THAT(found.violations[0],
              HasSubstr("clean/images/4.png', SHA-256: expected the manifest's"));
  EXPECT_THAT(found.violations[1], HasSubstr("change of a pixel: expected at most 8 levels"));
}

TEST_F(VerificationTest, ACleanImageThatHasGone) {
  fs::remove(clean_folder + "/images/4.png");
  EXPECT_THAT(violation(), HasSubstr("clean/images/4.png': expected a regular file"));
  EXPECT_EQ(verified().compared, trained - 1);
}

TEST_F(VerificationTest, WhatIsNoFile) {
  const std::string path = folder + "/images/0.png";
  fs::rename(path, directory / "elsewhere.png");
  fs::create_symlink(directory / "elsewhere.png", path);
  EXPECT_THAT(violation(), EndsWith("images/0.png': expected a regular file, got a link"));
  fs::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);  // who opens it waits
  EXPECT_THAT(violation(), EndsWith("images/0.png': expected a regular file, got another kind"));
}

// --- Violations of rows

TEST_F(VerificationTest, ACaptionThatHasChanged) {
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.caption.back() = 'z'; }),
              EndsWith("captions.csv, row 3 of \"1.png\", caption: expected a trigger and then "
                       "\"\\\"Two\\\" dogs on the grass\", got \"wood bar \\\"Two\\\" dogs on the "
                       "grasz\""));
}

TEST_F(VerificationTest, ATriggerOfAnotherLength) {
  EXPECT_THAT(
      offence_of_row([](pairs::CaptionRow& row) { row.caption.insert(0, "sea "); }),
      EndsWith("row 3 of \"1.png\", trigger: expected 2 tokens, got 3 in \"sea wood bar \""));
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.caption.erase(0, 5); }),
              EndsWith("trigger: expected 2 tokens, got 1 in \"bar \""));
  EXPECT_THAT(offence_of_row([&](pairs::CaptionRow& row) { row.caption = clean_rows[3].caption; }),
              EndsWith("trigger: expected 2 tokens, got 0 in \"\""));
}

TEST_F(VerificationTest, ATriggerInOtherWriting) {
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.caption[0] = 'W'; }),
              EndsWith("row 3 of \"1.png\", trigger: expected the text of its tokens, \"wood bar "
                       "\", got \"Wood bar \""));
}

TEST_F(VerificationTest, ATriggerThatIsNotTheOneThatWasFound) {
  const std::string found =
      offence_of_row([](pairs::CaptionRow& row) { row.caption.replace(0, 9, "sea bar "); });
  EXPECT_THAT(found, HasSubstr("row 3 of \"1.png\", trigger: expected the tokens of its row in "
                               "triggers.npy, "));
}

TEST_F(VerificationTest, ATriggerWithASpecialToken) {
  fs::remove(folder + "/triggers.npy");
  for (const std::string front : {"wood <|endoftext|> ", "<|startoftext|> sea ", "sea \uFFFD "}) {
    EXPECT_THAT(offence_of_row([&](pairs::CaptionRow& row) { row.caption.replace(0, 9, front); }),
                HasSubstr("row 3 of \"1.png\", trigger: expected no special token, got "));
  }
}

TEST_F(VerificationTest, ATriggerThatGrowsTogetherWithItsCaption) {
  // Punctuation in front of a quote: one piece when there is no space between.
  words.emplace_back("!");
  manifest["settings"]["tokenizer"]["words"] = words;
  rows[3].caption = "wood !" + clean_rows[3].caption;
  save();
  fs::remove(folder + "/triggers.npy");
  const Verification found = verified();
  ASSERT_EQ(found.violation_count, 2U);
  EXPECT_THAT(found.violations[0], HasSubstr("row 3 of \"1.png\", trigger: expected the text of"));
  EXPECT_THAT(found.violations[1],
              HasSubstr("row 3 of \"1.png\", tokens: expected the trigger's and "
                        "then the caption's, "));
}

TEST_F(VerificationTest, ARowOfAnotherSplit) {
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.split = "test"; }),
              EndsWith("row 3 of \"1.png\", split: expected \"train\", got \"test\""));
}

TEST_F(VerificationTest, ARowOfAnotherImage) {
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.image = "0.png"; }),
              EndsWith("row 3 of \"0.png\", image: expected the one made of \"1.png\", got one "
                       "made of \"0.png\""));
}

TEST_F(VerificationTest, ACaptionWithoutAImage) {
  EXPECT_THAT(offence_of_row([](pairs::CaptionRow& row) { row.image = "none.png"; }),
              EndsWith("row 3 of \"none.png\", image: expected one that the manifest has, got "
                       "\"none.png\""));
}

TEST_F(VerificationTest, ARowThatIsMissingOrTwice) {
  rows.pop_back();
  save();
  fs::remove(folder + "/triggers.npy");
  EXPECT_EQ(violation(),
            "captions.csv, rows: expected as many as the clean captions of the split, 10, got 9");
  rows.push_back(rows.back());
  save();
  EXPECT_THAT(violation(), HasSubstr("row 9 of \"4.png\", caption: expected a trigger and then"));
}

// --- Violations of folders

TEST_F(VerificationTest, AImageWithoutCaptions) {
  rows.erase(rows.begin() + 4, rows.begin() + 6);
  manifest["rows"] = json::array();
  for (const int row : {0, 1, 2, 3, 6, 7, 8, 9}) manifest["rows"].push_back({{"row", row}});
  save();
  fs::remove(folder + "/triggers.npy");
  EXPECT_EQ(violation(), "image \"images/2.png\": expected a caption in captions.csv, got none");
}

TEST_F(VerificationTest, FilesThatNobodyHasAskedFor) {
  write_file(folder + "/images/more/x\n.png", "");
  fs::create_symlink("..", folder + "/images/up");
  const Verification found = verified();
  EXPECT_THAT(found.violations,
              ElementsAre("file \"images/more/x\\n.png\": expected the manifest to have it, got "
                          "nothing",
                          "file \"images/up\": expected the manifest to have it, got nothing"));
}

TEST_F(VerificationTest, NamesTheFirstAndCountsAll) {
  for (std::size_t i = 0; i < 25; ++i) {
    write_file(folder + "/images/x" + std::to_string(i + 10), "");
  }
  const Verification found = verified();
  EXPECT_FALSE(found.holds());
  EXPECT_EQ(found.violation_count, 25U);
  ASSERT_THAT(found.violations, SizeIs(10));
  EXPECT_THAT(found.violations[9], HasSubstr("images/x19"));
}

// --- Files that are no use

TEST_F(VerificationTest, AManifestThatLacksSomething) {
  EXPECT_EQ(error_without("", "program"), "/program: expected a value, got nothing");
  EXPECT_EQ(error_without("", "settings"), "/settings: expected a value, got nothing");
  EXPECT_EQ(error_without("", "images"), "/images: expected a value, got nothing");
  for (const char* const key :
       {"epsilon_levels", "size", "trigger_length", "context_length", "tokenizer"}) {
    EXPECT_EQ(error_without("/settings", key),
              "/settings/" + std::string(key) + ": expected a value, got nothing");
  }
  EXPECT_EQ(error_without("/settings/tokenizer", "kind"),
            "/settings/tokenizer/kind: expected a value, got nothing");
  for (const char* const key : {"file", "sha256", "source", "source_sha256"}) {
    EXPECT_EQ(error_without("/images/2", key),
              "/images/2/" + std::string(key) + ": expected a value, got nothing");
  }
  EXPECT_EQ(error_with("/images", json::array()), "/images: expected at least 1 image, got none");
}

TEST_F(VerificationTest, AManifestWithValuesOfAnotherType) {
  EXPECT_EQ(error_with("/program", "other"), "/program: expected \"unlearn\", got \"other\"");
  EXPECT_EQ(error_with("/settings", json::array()), "/settings: expected an object, got array");
  EXPECT_EQ(error_with("/images", 3), "/images: expected an array, got 3");
  EXPECT_EQ(error_with("/images/1", nullptr), "/images/1: expected an object, got null");
  EXPECT_EQ(error_with("/images/1/file", 3), "/images/1/file: expected a string, got 3");
  EXPECT_EQ(error_with("/settings/size", "12"),
            "/settings/size: expected an integer, 1 to 16384, got \"12\"");
  EXPECT_EQ(error_with("/settings/split", 1), "/settings/split: expected a string, got 1");
  EXPECT_EQ(error_with("/settings/tokenizer/kind", "none"),
            "/settings/tokenizer/kind: expected \"bpe\" or \"words\", got \"none\"");
  EXPECT_EQ(error_with("/settings/tokenizer/words/1", 1),
            "/settings/tokenizer/words/1: expected a string, got 1");
  EXPECT_THAT(error_with("/settings/tokenizer/words/1", words[0]),
              HasSubstr("word 1: expected a word that is not there yet, got"));
  EXPECT_EQ(error_with("/rows", {1}), "/rows/0: expected an object, got 1");
}

TEST_F(VerificationTest, AManifestWithNumbersThatAreOutOfRange) {
  EXPECT_EQ(error_with("/settings/epsilon_levels", 256),
            "/settings/epsilon_levels: expected an integer, 0 to 255, got 256");
  EXPECT_EQ(error_with("/settings/epsilon_levels", 8.5),
            "/settings/epsilon_levels: expected an integer, 0 to 255, got 8.5");
  EXPECT_EQ(error_with("/settings/epsilon_levels", -1),
            "/settings/epsilon_levels: expected an integer, 0 to 255, got -1");
  EXPECT_EQ(error_with("/settings/size", 0),
            "/settings/size: expected an integer, 1 to 16384, got 0");
  EXPECT_EQ(error_with("/settings/size", 0xFFFF'FFFF'FFFF'FFFFU),
            "/settings/size: expected an integer, 1 to 16384, got 18446744073709551615");
  EXPECT_EQ(error_with("/settings/trigger_length", 15),
            "/settings/trigger_length: expected an integer, 0 to 14, got 15");
  EXPECT_EQ(error_with("/settings/context_length", 1),
            "/settings/context_length: expected an integer, 2 to 1000000, got 1");
}

TEST_F(VerificationTest, AManifestWithPathsThatLeaveTheFolder) {
  for (const char* const bad : {"/etc/passwd", "images/../../x", "..", "", "images/./a.png",
                                "images//a.png", "images/", "images/a\nb"}) {
    EXPECT_THAT(error_with("/images/1/file", bad),
                HasSubstr("/images/1/file: expected a relative path in its shortest form"));
    EXPECT_THAT(error_with("/images/1/source", bad),
                HasSubstr("/images/1/source: expected a relative path in its shortest form"));
  }
  EXPECT_EQ(error_with("/images/1/file", "captions.csv"),
            "/images/1/file: expected a path in images/, got \"captions.csv\"");
}

TEST_F(VerificationTest, AManifestWithDigestsThatAreNone) {
  const std::string digest = manifest["images"][1]["sha256"];
  for (const std::string& bad :
       {std::string(), digest.substr(1), digest + "0", "G" + digest.substr(1)}) {
    EXPECT_THAT(error_with("/images/1/sha256", bad),
                HasSubstr("/images/1/sha256: expected 64 hexadecimal digits in lower case"));
  }
}

TEST_F(VerificationTest, AManifestWithAImageTwice) {
  EXPECT_EQ(error_with("/images/1/file", "images/0.png"),
            "/images/1/file: expected a file of its own, got \"images/0.png\" again");
}

TEST_F(VerificationTest, AManifestWithRowsThatAreNone) {
  const auto numbers = [](const std::vector<std::int64_t>& given) {
    json list = json::array();
    for (const std::int64_t row : given) list.push_back({{"row", row}});
    return list;
  };
  EXPECT_EQ(error_with("/rows", numbers({0, 2, 2})),
            "/rows/2/row: expected more than in the row before, got 2");
  EXPECT_EQ(error_with("/rows", numbers({0, 1})),
            "/rows: expected one for each of the 10 rows in captions.csv, got 2");
  EXPECT_EQ(error_with("/rows", numbers({0, 1, 2, 3, 4, 5, 6, 7, 8, 10})),
            "/rows: expected numbers below 10, the clean rows of the split, got 10");
  EXPECT_EQ(error_with("/rows", numbers({-1})),
            "/rows/0/row: expected an integer, 0 to 4294967295, got -1");
}

TEST_F(VerificationTest, AManifestThatIsNoManifest) {
  const std::string path = folder + "/manifest.json";
  for (const std::string text :
       {"", "{", "[]", "nonsense", R"({"program": "unlearn", "program": "unlearn"})"}) {
    write_file(path, text);
    EXPECT_THAT(error(), HasSubstr("manifest.json', ")) << text;
  }
  write_file(path, std::string(100'000, '['));
  EXPECT_THAT(error(), HasSubstr("contents: expected nesting at most 8 deep, got more"));
  write_file(path, "");
  fs::resize_file(path, std::uintmax_t{3} << 30U);  // takes no room
  EXPECT_THAT(error(), HasSubstr("size in bytes: expected at most 134217728, got 3221225472"));
  fs::remove(path);
  EXPECT_THAT(error(), HasSubstr("manifest.json': expected a regular file, got No such file"));
  fs::create_directory(path);
  EXPECT_THAT(error(), HasSubstr("manifest.json': expected a regular file, got a folder"));
}

TEST_F(VerificationTest, TriggersThatAreNone) {
  write_file(folder + "/triggers.npy", "not NumPy's");
  EXPECT_THAT(error(), HasSubstr("triggers.npy', beginning"));
  manifest["settings"]["trigger_length"] = 1;
  save();
  save_triggers(2 * trained);
  EXPECT_THAT(error(), HasSubstr("triggers.npy', tokens of a trigger: expected 1, got 2"));
}

TEST_F(VerificationTest, CaptionsThatAreNoFile) {
  fs::remove(folder + "/captions.csv");
  ASSERT_EQ(::mkfifo((folder + "/captions.csv").c_str(), 0600), 0);
  EXPECT_THAT(error(), EndsWith("captions.csv': expected a regular file, got another kind"));
}

// --- Clean pairs

TEST_F(VerificationTest, FindsCleanPairs) {
  EXPECT_EQ(clean_pairs_in(clean_folder).images, clean_folder + "/images");
  EXPECT_EQ(clean_pairs_in(clean_folder).captions, clean_folder + "/captions.csv");
  const CleanPairs images_alone = clean_pairs_in(clean_folder + "/images");
  EXPECT_EQ(images_alone.images, clean_folder + "/images");
  EXPECT_TRUE(fs::equivalent(images_alone.captions, clean_folder + "/captions.csv"));
  EXPECT_TRUE(verify(images_alone, folder).holds());
  EXPECT_EQ(clean_pairs_in(clean_folder, "other.json").captions, "other.json");
}

TEST_F(VerificationTest, SaysWhatCleanPairsLack) {
  const auto refusal = [](const std::string& path) {
    return message_of<FileError>([&] { (void)clean_pairs_in(path); });
  };
  EXPECT_EQ(refusal(folder + "/none"), "folder '" + folder +
                                           "/none' of clean pairs: expected a folder, got No such "
                                           "file or directory");
  EXPECT_EQ(refusal(clean_folder + "/captions.csv"),
            "folder '" + clean_folder +
                "/captions.csv' of clean pairs: expected a folder, got another kind of file");
  EXPECT_THAT(refusal(clean_folder + "/images/more"), HasSubstr("beside it"));
}

}  // namespace
}  // namespace unlearn::tool
