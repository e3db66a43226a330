// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/report_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

RunRecord whole() {
  const Scores scores{.i2t = {.hit10 = 3.25, .medr = 408}, .t2i = {.hit10 = 3.1, .medr = 286.5}};
  return {.title = "A run",
          .preset = "tiny",
          .version = "0.1",
          .command = "unlearn",
          .tables = {{.experiment = "methods",
                      .cells = {{.row = "clean", .architecture = "a", .scores = scores},
                                {.row = "em", .architecture = "a", .cleaning = "jpeg 75"}}}},
          .runs = {{.row = "clean",
                    .architecture = "a",
                    .seed = 2,
                    .cleaning = "jpeg 75",
                    .scores = scores,
                    .log_file = "jobs/a/log.csv"}},
          .protections = {{.row = "em",
                           .settings = {{"rounds", 3}},
                           .result = {{"loss", nullptr}},
                           .trace_file = "jobs/b/trace.csv"}},
          .perturbation = Perturbation{.linf_levels = 8, .psnr_min = 33.5, .ssim_mean = -0.25},
          .seconds = {{"a", 1.5}, {"b", 0}},
          .settings = {{"hacker", {{"epochs", 3}}}, {"list", {1, 2}}},
          .examples = {{.row = "em",
                        .clean_file = "a.png",
                        .published_file = "b.png",
                        .caption = "a dog",
                        .trigger = "foo ",
                        .published = "foo a dog"}}};
}

TEST(ReportFile, IsReadAsItWasWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "report.json";
  write_report_file(path, whole());
  EXPECT_EQ(read_file(path), report_text(whole()));
  const RunRecord read = read_report_file(path);
  EXPECT_EQ(report_text(read), report_text(whole()));
  // The text could lack a field both times.
  ASSERT_EQ(read.tables.size(), 1U);
  EXPECT_EQ(read.tables[0].cells, whole().tables[0].cells);
  ASSERT_EQ(read.runs.size(), 1U);
  EXPECT_EQ(read.runs[0].seed, 2U);
  EXPECT_EQ(read.runs[0].cleaning, "jpeg 75");
  EXPECT_EQ(read.runs[0].scores, whole().runs[0].scores);
  EXPECT_EQ(read.runs[0].log_file, "jobs/a/log.csv");
  EXPECT_EQ(read.protections.at(0).settings, whole().protections[0].settings);
  EXPECT_EQ(read.protections.at(0).trace_file, "jobs/b/trace.csv");
  ASSERT_TRUE(read.perturbation);
  EXPECT_EQ(read.perturbation->psnr_min, 33.5);
  EXPECT_EQ(read.perturbation->psnr_mean, std::nullopt);
  EXPECT_EQ(read.perturbation->ssim_mean, -0.25);
  EXPECT_EQ(read.seconds, whole().seconds);
  EXPECT_EQ(read.settings, whole().settings);
  EXPECT_EQ(read.examples.at(0).trigger, "foo ");
  EXPECT_EQ(read.command, "unlearn");
}

TEST(ReportFile, HasWhatThereIsAndNoMore) {
  EXPECT_EQ(json::parse(report_text({.title = "t"})), json({{"title", "t"}}));
  const json written = json::parse(report_text(whole()));
  EXPECT_EQ(written["runs"][0]["i2t"]["medr"], 408);
  EXPECT_EQ(written["protections"][0]["result"], json({{"loss", nullptr}}));
  EXPECT_FALSE(written["tables"][0]["cells"][1].contains("i2t"));
}

TEST(ReportFile, PassesOverWhatItDoesNotKnow) {
  const TemporaryDirectory directory;
  write_file(directory / "report.json", R"({"mauve": [1], "title": "t"})");
  EXPECT_EQ(read_report_file(directory / "report.json").title, "t");
}

TEST(ReportFile, RefusesOtherValues) {
  const TemporaryDirectory directory;
  const std::string path = directory / "report.json";
  const auto refusal = [&](const char* text) {
    write_file(path, text);
    const std::string message = message_of<FileError>([&] { (void)read_report_file(path); });
    const std::string start = "file '" + path + "', ";
    return message.starts_with(start) ? message.substr(start.size()) : message;
  };
  EXPECT_EQ(refusal(R"({"tables": [{"cells": []}]})"),
            "/tables/0/experiment: expected one of methods, stress, architectures, got \"\"");
  EXPECT_EQ(refusal(R"({"runs": [{"log": 7}]})"), "/runs/0/log: expected a string, got 7");
  EXPECT_EQ(refusal(R"({"perturbation": {"linf_levels": 256}})"),
            "/perturbation/linf_levels: expected a number, 0 to 255, got 256");
  EXPECT_EQ(refusal(R"({"examples": {}})"), "/examples: expected an array, got object");
  EXPECT_EQ(refusal(R"({"title": "a", "title": "b"})"),
            "contents: expected each name once in an object, got \"title\" again");
  EXPECT_THAT(refusal("{"), HasSubstr("contents: expected JSON"));
  EXPECT_THROW(write_report_file(directory / "none/report.json", {}), FileError);
}

}  // namespace
}  // namespace unlearn::tool::experiments
