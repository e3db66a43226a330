// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "tool/publication/training_result.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

using nlohmann::json;
using unlearn::testing::message_of;
using unlearn::testing::TemporaryDirectory;
using unlearn::testing::write_file;

const std::string digest(64, 'a');

Manifest some_manifest() {
  return {.published = {.epsilon_levels = 8,
                        .size = 32,
                        .trigger_length = 3,
                        .context_length = 77,
                        .placement = PlacementKind::anywhere,
                        .seed = 1,
                        .split = "train",
                        .vocabulary = 5,
                        .words = {{"a", "b"}},
                        .other_settings = {{"method", "mem"}},
                        .images = {{"images/a.png", digest, "a.jpg", digest},
                                   {"images/b/c.png", digest, "b/c.jpg", digest}},
                        .rows = {{{0}, {2}}}},
          .version = "1.0",
          .versions = {{"eigen", "3.4.0"}},
          .captions = {.file = "captions.csv", .sha256 = digest},
          .outputs = {{"noise.npy", digest}},
          .skipped = {"file 'x'"},
          .result = {.stop = "round_limit", .rounds = 2, .loss = 0.5, .train_steps = 6, .rows = 2},
          .seconds = {.reading = 1,
                      .surrogate_training = 2,
                      .minimizing = 3,
                      .publishing = 4,
                      .in_model = 5,
                      .total = 6},
          .peak_megabytes = 100};
}

class ManifestTest : public ::testing::Test {
 protected:
  [[nodiscard]] Manifest back(const json& text) const {
    write_file(path, text.dump());
    return read_manifest(path);
  }
  /// The message about a manifest without a value.
  [[nodiscard]] std::string complaint_without(const json::json_pointer& place) const {
    json text = json_of(some_manifest());
    text[place.parent_pointer()].erase(place.back());
    const std::string message = message_of<FileError>([&] { (void)back(text); });
    const std::string start = "file '" + path + "', ";
    return message.starts_with(start) ? message.substr(start.size()) : message;
  }

  TemporaryDirectory directory;
  std::string path = directory / "manifest.json";
};

TEST_F(ManifestTest, GivesBackWhatWasWritten) {
  const Manifest all = some_manifest();
  EXPECT_EQ(back(json_of(all)), all);
  Manifest least = all;
  least.published.placement.reset();
  least.published.seed.reset();
  least.published.words.reset();
  least.published.rows.reset();
  least.result.loss.reset();
  least.seconds.surrogate_training.reset();
  least.peak_megabytes.reset();
  EXPECT_EQ(back(json_of(least)), least);
}

TEST_F(ManifestTest, HasTheNamesThatReadersKnow) {
  const json text = json_of(some_manifest());
  EXPECT_EQ(text.at("program"), "unlearn");
  EXPECT_EQ(text.at("settings"),
            (json{{"epsilon_levels", 8},
                  {"size", 32},
                  {"trigger_length", 3},
                  {"context_length", 77},
                  {"placement", "anywhere"},
                  {"split", "train"},
                  {"tokenizer", {{"kind", "words"}, {"vocabulary", 5}, {"words", {"a", "b"}}}},
                  {"method", "mem"},
                  {"seed", 1}}));
  EXPECT_EQ(text.at("settings"), settings_of(some_manifest().published));
  EXPECT_EQ(text.at("rows"), (json{{{"row", 0}}, {{"row", 2}}}));
  EXPECT_EQ(text.at("images").at(0), (json{{"file", "images/a.png"},
                                           {"sha256", digest},
                                           {"source", "a.jpg"},
                                           {"source_sha256", digest}}));
  EXPECT_EQ(text.at("inputs"),
            (json{{"captions", {{"file", "captions.csv"}, {"sha256", digest}}}}));
}

TEST_F(ManifestTest, IsReadByThoseWhoNeedOnlyItsPromise) {
  json text = json_of(some_manifest());
  text.erase("result");
  text["seconds"] = "of another version";
  write_file(path, text.dump());
  EXPECT_EQ(read_published_manifest(path), some_manifest().published);
  EXPECT_EQ(message_of<FileError>([&] { (void)read_manifest(path); }),
            "file '" + path + "', /result: expected a value, got nothing");
}

TEST_F(ManifestTest, NamesWhatIsMissing) {
  for (const char* const place :
       {"/version", "/versions", "/inputs/captions/sha256", "/outputs", "/skipped", "/result/stop",
        "/result/rows", "/seconds/total", "/settings/tokenizer/words", "/settings/seed"}) {
    EXPECT_EQ(complaint_without(json::json_pointer(place)),
              std::string(place) + ": expected a value, got nothing");
  }
}

TEST(TrainingResult, GivesBackWhatWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "result.json";
  const TrainingResult result{.retrieval = {.signal_to_text = {.hit_at_k = 12.5, .median_rank = 40},
                                            .text_to_signal = {.hit_at_k = 10, .median_rank = 50}},
                              .settings = {{"seed", 1}},
                              .version = "1.0",
                              .seconds = 2.5};
  const json text = json_of(result);
  EXPECT_EQ(text.at("i2t"), (json{{"hit10", 12.5}, {"medr", 40}}));
  EXPECT_EQ(to_json(result.retrieval), (json{{"i2t", text.at("i2t")}, {"t2i", text.at("t2i")}}));
  write_file(path, text.dump());
  EXPECT_EQ(json_of(read_training_result(path)), text);
}

TEST(TrainingResult, NamesWhatIsWrong) {
  const TemporaryDirectory directory;
  const std::string path = directory / "result.json";
  const auto complaint = [&](const char* place, const json& value) {
    json text = json_of(TrainingResult{
        .retrieval = {.signal_to_text = {.median_rank = 1}, .text_to_signal = {.median_rank = 1}}});
    text[json::json_pointer(place)] = value;
    write_file(path, text.dump());
    const std::string message = message_of<FileError>([&] { (void)read_training_result(path); });
    return message.substr(("file '" + path + "', ").size());
  };
  EXPECT_EQ(complaint("/i2t/hit10", 101), "/i2t/hit10: expected a number, 0 to 100, got 101");
  EXPECT_EQ(complaint("/t2i/medr", 0), "/t2i/medr: expected an integer, 1 or more, got 0");
  EXPECT_EQ(complaint("/t2i", json::array()), "/t2i: expected an object, got array");
  EXPECT_EQ(complaint("/seconds", "x"), "/seconds: expected a number, got \"x\"");
}

}  // namespace
}  // namespace unlearn::tool
