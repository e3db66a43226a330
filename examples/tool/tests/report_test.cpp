// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "pairs/images/image.hpp"
#include "temporary_directory.hpp"
#include "tool/experiments/chart.hpp"
#include "tool/experiments/decimal.hpp"
#include "tool/experiments/figures.hpp"
#include "tool/experiments/gnuplot.hpp"
#include "tool/experiments/html.hpp"
#include "tool/experiments/page.hpp"
#include "tool/experiments/palette.hpp"
#include "tool/experiments/run_record.hpp"
#include "tool/experiments/summary.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::names_in;
using ::testing::Not;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

json scores(double i2t_hit10, double i2t_medr, double t2i_hit10, double t2i_medr) {
  return {{"i2t", {{"hit10", i2t_hit10}, {"medr", i2t_medr}}},
          {"t2i", {{"hit10", t2i_hit10}, {"medr", t2i_medr}}}};
}

/// A cell of a table; the architecture is the surrogate's.
json cell(const std::string& row, const json& scores, const std::string& cleaning = "none") {
  json cell{{"row", row}, {"architecture", "rn-small"}, {"cleaning", cleaning}};
  cell.update(scores);
  return cell;
}

json cell_of_vit(const std::string& row, const json& scores) {
  json changed = cell(row, scores);
  changed["architecture"] = "vit-small";
  return changed;
}

/// A folder of a run, with every part that a record can have.
class RunFolder {
 public:
  RunFolder() {
    std::filesystem::create_directory(directory_ / "jobs");
    file("jobs/log.csv",
         "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr\n"
         "1,4.5,0.0005,1.5,640,1.4,430\n"
         "2,0.5,0.0005,3.2,408,3.1,286\n");
    file("jobs/trace.csv", "round,surrogate,trigger,noise\n1,3.5,2.25,1.5\n2,1.5,,0.125\n");
    pairs::write_png(directory_ / "clean.png", {2, 3, std::vector<std::uint8_t>(18, 100)});
    pairs::write_png(directory_ / "mem3.png", {2, 3, std::vector<std::uint8_t>(18, 108)});
    record = {
        {"title", "A run"},
        {"preset", "tiny"},
        {"version", "0.1.0"},
        {"command", "unlearn reproduce --preset tiny"},
        {"tables",
         {{{"experiment", "methods"},
           {"cells",
            {cell("mem3", scores(3.25, 408, 3.1, 286)), cell("random", scores(1.1, 740, 0.9, 495)),
             cell("clean", scores(12.5, 131, 14.5, 98))}}},
          {{"experiment", "architectures"},
           {"cells",
            {cell_of_vit("clean", scores(9, 170, 10, 120)),
             cell_of_vit("mem3", scores(3, 351, 3, 244))}}},
          {{"experiment", "stress"},
           {"cells",
            {cell("mem3", scores(3.8, 374, 3.9, 253), "jpeg 75"),
             cell("mem3", scores(3.25, 408, 3.1, 286)),
             cell("mem3", scores(12.1, 137, 14.2, 103), "strip-words 3")}}}}},
        {"runs",
         {{{"row", "mem3"},
           {"architecture", "rn-small"},
           {"seed", 1},
           {"cleaning", "none"},
           {"log", "jobs/log.csv"}}}},
        {"protections", {{{"row", "mem3"}, {"trace", "jobs/trace.csv"}}}},
        {"perturbation",
         {{"linf_levels", 8}, {"psnr_min", 33.6}, {"psnr_mean", 34.7}, {"ssim_mean", 0.921}}},
        {"seconds", {{"protect-mem3", 712.3}, {"train", 3661}}},
        {"settings", {{"epochs", 16}, {"mem3", {{"words", {"the", "a"}}, {"rounds", 10}}}}},
        {"examples",
         {{{"row", "mem3"},
           {"clean", "clean.png"},
           {"protected", "mem3.png"},
           {"caption", "a dog runs ."},
           {"trigger", "foo bar"},
           {"published", "foo bar a dog runs ."}}}}};
  }

  void file(const std::string& name, const std::string& text) const {
    write_file(directory_ / name, text);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

  [[nodiscard]] RunRecord read() const {
    file("report.json", record.dump());
    return read_run(directory_.path());
  }
  [[nodiscard]] std::string page() const {
    const RunRecord run = read();
    return report_page(run, draw_figures(run));
  }
  /// What the FileError about report.json says of it.
  [[nodiscard]] std::string complaint() const {
    const std::string message = message_of<FileError>([&] { (void)read(); });
    const std::string start = "file '" + path("report.json") + "', ";
    return message.starts_with(start) ? message.substr(start.size()) : message;
  }

  json record;

 private:
  TemporaryDirectory directory_;
};

RunRecord without_files() {
  RunFolder run;
  run.record.erase("runs");
  run.record.erase("protections");
  run.record.erase("examples");
  return run.read();
}

// --- HTML

TEST(EscapeHtml, LeavesNoMarkup) {
  EXPECT_EQ(escape_html("<b a=\"x\" c='y'>&amp;</b>"),
            "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;&lt;/b&gt;");
  EXPECT_EQ(escape_html(std::string("\0\x1b[1m\x7f\n\t", 8)), "\uFFFD\uFFFD[1m\uFFFD\n\t");
  EXPECT_EQ(escape_html("ein Hündchen 犬"), "ein Hündchen 犬");
}

TEST(HtmlWriter, ClosesWhatItOpens) {
  HtmlWriter writer;
  {
    const auto outer = writer.scope("span", {{"title", "\">"}});
    writer.element("b", "1 < 2");
  }
  EXPECT_EQ(writer.page(), "<span title=\"&quot;&gt;\"><b>1 &lt; 2</b></span>");
}

// --- Numbers

TEST(ReportNumbers, AreRoundedForReaders) {
  EXPECT_EQ(decimal(2.25, 1), "2.2");
  EXPECT_EQ(rank_in_words(408), "408");
  EXPECT_EQ(rank_in_words(408.5), "408.5");
  EXPECT_EQ(ratio_in_words(3.114), "3.1");
  EXPECT_EQ(ratio_in_words(12.4), "12");
  EXPECT_EQ(duration_in_words(3.25), "3.2 s");
  EXPECT_EQ(duration_in_words(59.7), "1 min 0 s");
  EXPECT_EQ(duration_in_words(712.3), "11 min 52 s");
  EXPECT_EQ(duration_in_words(4211), "1 h 10 min");
}

// --- gnuplot and the figures

TEST(Gnuplot, ExpandsNothingInAText) {
  const TemporaryDirectory directory;
  const std::string file = directory / "made";
  const std::string hostile = "`touch " + file + "` ' . system('touch " + file + "') . '\n!touch " +
                              file + "\n</text><script>&\" \\n @x $y";
  const LineChart chart{
      .x_label = hostile,
      .y_label = hostile,
      .lines = {{.label = hostile, .colour = "clean", .points = {{1, 1}, {2, 2}}}}};
  const Drawing drawing = chart.draw();
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
  EXPECT_THAT(drawing.body, HasSubstr("`touch"));
  EXPECT_THAT(drawing.in_page(hostile), AllOf(Not(HasSubstr("<script")), HasSubstr("&amp;")));
}

TEST(Gnuplot, SaysWhatIsWrong) {
  EXPECT_THAT(
      message_of<Error>([] { (void)run_gnuplot("nonsense\n"); }),
      AllOf(HasSubstr("gnuplot: expected to draw a figure, got "), HasSubstr("invalid command")));
  // Far more than a pipe holds, and nobody who reads it.
  EXPECT_THROW((void)run_gnuplot("nonsense\n" + std::string(1U << 22U, '#')), Error);
}

TEST(Gnuplot, SaysHowToInstallIt) {
  const TemporaryDirectory empty;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", empty.path().c_str(), 1);
  const std::string message = message_of<Error>([] { (void)run_gnuplot(""); });
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(message,
            "gnuplot: expected it to be installed (on Debian: apt-get install gnuplot-nox), got "
            "No such file or directory");
}

TEST(LineChart, DrawsWhatIsThere) {
  const LineChart::Line one{.label = "one", .colour = "mem3", .points = {{3, 2}}};
  const Drawing drawing = LineChart{.logarithmic = true, .lines = {one}}.draw();
  EXPECT_THAT(drawing.body,
              AllOf(HasSubstr(">one</text>"), HasSubstr("#d55e00"), Not(HasSubstr("rgb(")),
                    Not(HasSubstr("id=")), Not(HasSubstr("<use")), Not(HasSubstr("<title"))));
  EXPECT_THAT(drawing.in_page("x"), AllOf(HasSubstr("var(--mem3)"), Not(HasSubstr("#d55e00")),
                                          HasSubstr("role=\"img\" aria-label=\"x\"")));
  EXPECT_THAT(drawing.as_file("x"), HasSubstr("xmlns=\"http://www.w3.org/2000/svg\""));
  const LineChart::Line negative{.label = "n", .colour = "em", .points = {{1, -3}, {2, 0}}};
  EXPECT_NO_THROW((void)(LineChart{.logarithmic = true, .lines = {one, negative}}.draw()));
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)LineChart{}.draw(); }),
            "points of a figure: expected at least 1, got 0");
}

TEST(LineChart, DrawsThousandsOfPoints) {
  LineChart::Line line{.label = "long", .colour = "em"};
  for (int i = 1; i <= 50'000; ++i) line.points.emplace_back(i, 1.0 / i);
  EXPECT_GT((LineChart{.logarithmic = true, .lines = {line}}.draw().body.size()), 100'000U);
}

TEST(DotChart, RefusesWhatALogarithmHasNot) {
  EXPECT_EQ(message_of<InvalidArgument>([] {
              (void)DotChart{.rows = {{.label = "x", .colour = "em", .filled = 0.0}}}.draw();
            }),
            "number in a logarithmic figure: expected more than 0, got 0.000000");
}

TEST(Palette, GivesEachRowAColourOfItsOwn) {
  std::set<std::string_view> colours;
  for (const char* row : {"random", "clean", "em", "uap", "mem3", "mem5"}) {
    ASSERT_NE(find_row(row), nullptr) << row;
    colours.insert(colour_named(colour_of_row(row)).light);
  }
  EXPECT_EQ(colours.size(), 6U);
  EXPECT_NO_THROW((void)colour_named(colour_of_row("paper")));
  EXPECT_THROW((void)colour_named("mauve"), InvalidArgument);
}

TEST(Figures, AreFilesToo) {
  const RunFolder run;
  const TemporaryDirectory directory;
  write_figures(directory / "a/b", draw_figures(run.read()));
  EXPECT_THAT(names_in(directory / "a/b"),
              ElementsAre("medr-image-to-text.svg", "medr-text-to-image.svg", "methods.svg",
                          "protection-mem3.svg", "stress.svg", "training-loss.svg"));
  EXPECT_THAT(read_file(directory / "a/b/methods.svg"),
              HasSubstr("MEM-3: 408 image to text, 286 text to image."));
}

// --- The record

TEST(ReadRun, GivesWhatIsThere) {
  const RunRecord record = RunFolder().read();
  ASSERT_EQ(record.tables.size(), 3U);
  const std::vector<Cell>& rows = record.tables[0].cells;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].row, "random");
  EXPECT_EQ(rows[1].row, "clean");
  EXPECT_EQ(rows[2].scores.i2t.medr, 408);
  EXPECT_EQ(record.find(Method::clean), &rows[1].scores);
  EXPECT_EQ(record.runs.at(0).log.at(1).retrieval.text_to_signal.median_rank, 286U);
  EXPECT_EQ(record.protections.at(0).trace.at(1).of("trigger"), std::nullopt);
  EXPECT_EQ(record.protections.at(0).trace.at(1).of("noise"), 0.125);
  const TableRecord* const stress = record.table(Layout::by_cleaning);
  ASSERT_EQ(stress, &record.tables[2]);
  EXPECT_EQ(stress->cells.at(0).cleaning, "none");
  EXPECT_EQ(stress->cells.at(2).cleaning, "strip-words 3");
  EXPECT_THAT(flattened(record.settings),
              ElementsAre(std::pair("epochs", "16"), std::pair("mem3.rounds", "10"),
                          std::pair("mem3.words", "[\"the\",\"a\"]")));
}

TEST(ReadRun, NeedsNoPart) {
  RunFolder run;
  const json whole = run.record;
  for (const auto& item : whole.items()) {
    run.record = whole;
    run.record.erase(item.key());
    EXPECT_THAT(run.page(), HasSubstr("</html>")) << item.key();
  }
  run.record = json::object();
  EXPECT_THAT(run.page(), AllOf(HasSubstr("</html>"), Not(HasSubstr("<section")),
                                Not(HasSubstr("nan")), Not(HasSubstr("Flickr8k"))));
}

TEST(ReadRun, NamesTheField) {
  const auto complaint = [](const char* pointer, const json& value) {
    RunFolder run;
    run.record[json::json_pointer(pointer)] = value;
    return run.complaint();
  };
  EXPECT_EQ(complaint("/tables/0/cells/0/i2t/medr", "x"),
            "/tables/0/cells/0/i2t/medr: expected a number, 1 or more, got \"x\"");
  EXPECT_EQ(complaint("/tables/0/cells/0/i2t/medr", nullptr),  // how JSON has a NaN
            "/tables/0/cells/0/i2t/medr: expected a number, 1 or more, got null");
  EXPECT_EQ(complaint("/tables/0/cells/0/i2t/hit10", 101),
            "/tables/0/cells/0/i2t/hit10: expected a number, 0 to 100, got 101");
  EXPECT_EQ(complaint("/tables/0/experiment", "mauve"),
            "/tables/0/experiment: expected one of methods, stress, architectures, got "
            "\"mauve\"");
  EXPECT_EQ(complaint("/perturbation", json::array()),
            "/perturbation: expected an object, got array");
  EXPECT_EQ(complaint("/runs", json::object()), "/runs: expected an array, got object");
  EXPECT_EQ(complaint("/runs/0/seed", -1), "/runs/0/seed: expected an integer, 0 or more, got -1");
  EXPECT_EQ(complaint("/title", 7), "/title: expected a string, got 7");
  EXPECT_EQ(complaint("/seconds/train", -2),
            "/seconds/train: expected a number, 0 or more, got -2");
  EXPECT_EQ(complaint("/seconds/<a\n>", "x"),
            "/seconds/\"<a\\n>\": expected a number, 0 or more, got \"x\"");
}

TEST(ReadRun, StaysInTheFolder) {
  const TemporaryDirectory elsewhere;
  write_file(elsewhere / "log.csv", "");
  RunFolder run;
  std::filesystem::create_symlink(elsewhere / "log.csv", run.path("link.csv"));
  const auto complaint = [&](const std::string& name) {
    run.record["runs"][0]["log"] = name;
    return run.complaint();
  };
  const std::string relative =
      "/runs/0/log: expected a relative path without '..' and control characters, got ";
  EXPECT_EQ(complaint("/etc/passwd"), relative + "\"/etc/passwd\"");
  EXPECT_EQ(complaint("jobs/../../a"), relative + "\"jobs/../../a\"");
  EXPECT_EQ(complaint(""), relative + "\"\"");
  EXPECT_EQ(complaint("a\nb"), relative + "\"a\\nb\"");
  EXPECT_EQ(complaint("none.csv"),
            "/runs/0/log: expected a file, got \"none.csv\" (No such file or directory)");
  EXPECT_EQ(complaint("link.csv"),
            "/runs/0/log: expected a file inside the run's folder, got \"link.csv\", a link that "
            "leads out of it");
}

TEST(ReadRun, NamesTheLineOfALog) {
  const auto complaint = [](const std::string& text) {
    const RunFolder run;
    run.file("jobs/trace.csv", text);
    const std::string message = run.complaint();
    const std::string start = "file '" + run.path("jobs/trace.csv") + "', ";
    return message.starts_with(start) ? message.substr(start.size()) : message;
  };
  const std::string header = "round,surrogate,trigger,noise\n";
  EXPECT_EQ(complaint(header + "1,nan,,1\n"),
            "line 2, \"surrogate\": expected a finite number, got \"nan\"");
  EXPECT_EQ(complaint(header + "1,1,,1\r\n2,x,,1"),
            "line 3, \"surrogate\": expected a finite number, got \"x\"");
  EXPECT_EQ(complaint(header + "1,1,1\n"), "line 2: expected 4 fields, got 3");
  EXPECT_EQ(complaint(header + ",1,1,1\n"),
            "line 2, \"round\": expected a number, got an empty field");
  EXPECT_EQ(complaint(""), "header: expected a column 'round', got none");
}

TEST(ReadRun, RefusesOtherFiles) {
  const RunFolder run;
  EXPECT_EQ(message_of<FileError>([&] { (void)read_run(run.directory()); }),
            "file '" + run.path("report.json") +
                "': expected a regular file, got No such file or directory");
  run.file("report.json", R"({"tables": [{"cells": [{"i2t": {"medr": NaN}}]}]})");
  EXPECT_THAT(message_of<FileError>([&] { (void)read_run(run.directory()); }),
              HasSubstr("report.json', contents: expected JSON, got something else at its byte "));
  run.file("report.json", "[]");
  EXPECT_THAT(message_of<FileError>([&] { (void)read_run(run.directory()); }),
              HasSubstr("report.json', top level: expected an object, got array"));
  pairs::write_png(run.path("mem3.png"), {3, 3, std::vector<std::uint8_t>(27)});
  EXPECT_EQ(run.complaint(),
            "/examples/0: expected a protected image as large as the clean one, 3 x 2 pixels, "
            "got 3 x 3 pixels");
}

// --- The summary

TEST(Summary, SaysWhatTheNumbersSay) {
  const std::string text = ::testing::PrintToString(summarize(without_files()));
  EXPECT_THAT(text, AllOf(HasSubstr("has a median rank of 131"),
                          HasSubstr("with an untrained model it is 740"),
                          HasSubstr("the median rank is 408: 3.1 times as far down"),
                          HasSubstr("it goes from 98 to 286, 2.9 times as far down"),
                          HasSubstr("further than 8 of 255 levels")));
}

TEST(Summary, SaysThatStrippedWordsRemoveTheProtection) {
  RunRecord record = without_files();
  const auto text = [&] { return ::testing::PrintToString(summarize(record)); };
  EXPECT_THAT(text(), HasSubstr("Cutting off the first 3 words of each caption removes the "
                                "protection: the median ranks are then 137"));
  std::vector<Cell>& cells = record.tables[2].cells;
  for (Cell& cell : cells) {
    if (cell.cleaning == "strip-words 3") cell.scores = cells[0].scores;
  }
  EXPECT_THAT(text(), HasSubstr("words of each caption leaves the protection in place"));
}

TEST(Summary, SaysThatThereWasNoProtection) {
  RunRecord record = without_files();
  std::vector<Cell>& rows = record.tables[0].cells;
  rows[2].scores = rows[1].scores;
  record.tables.resize(1);
  EXPECT_THAT(::testing::PrintToString(summarize(record)),
              AllOf(HasSubstr("no further down"), HasSubstr("no method protected the pairs")));
  rows[1].scores = rows[2].scores = rows[0].scores;
  EXPECT_THAT(::testing::PrintToString(summarize(record)),
              HasSubstr("hardly better than an untrained one"));
}

TEST(ShareLeft, IsOnALogarithmicScale) {
  const auto at = [](double i2t, double t2i) {
    return Scores{.i2t = {.medr = i2t}, .t2i = {.medr = t2i}};
  };
  EXPECT_EQ(share_left(at(10, 10), at(1000, 1000), at(100, 100)), 0.5);
  EXPECT_EQ(share_left(at(10, 10), at(1000, 1000), at(5, 5)), 0);
  EXPECT_EQ(share_left(at(10, 10), at(1000, 1000), at(2000, 2000)), 1);
  EXPECT_EQ(share_left(at(10, 10), at(10, 10), at(10, 10)), std::nullopt);
  EXPECT_EQ(share_left(at(10, 10), at(1000, 1000), {}), std::nullopt);
}

// --- The page

TEST(ReportPage, HasTheNumbers) {
  const std::string page = RunFolder().page();
  for (const char* part :
       {"<h1>A run</h1>", "<td>408</td>", "<td class=\"paper\">304</td>",
        "<td class=\"paper apart\">4.1</td>", "JPEG, quality 75", "RN101", "×\u00A02.1",
        "<mark>foo bar</mark> a dog runs .", "Noise, × 12", "11 min 52 s", "1 h 12 min",
        "mem3.rounds", "unlearn reproduce --preset tiny", "MEM-3: loss by round"}) {
    EXPECT_TRUE(page.find(part) != std::string::npos) << part;
  }
}

TEST(ReportPage, AmplifiesTheNoise) {
  // 100 became 108: 128 + 12 · 8
  const std::vector<std::byte> png = pairs::encode_png({2, 3, std::vector<std::uint8_t>(18, 224)});
  ASSERT_EQ(pairs::decode_image(png, "x"),
            (pairs::Image{2, 3, std::vector<std::uint8_t>(18, 224)}));
  // Base64 of a PNG that differs only in its pixels differs.
  const std::regex source("data:image/png;base64,([A-Za-z0-9+/]+=*)\"");
  const std::string page = RunFolder().page();
  std::vector<std::string> images;
  for (std::sregex_iterator at(page.begin(), page.end(), source), end; at != end; ++at) {
    images.push_back((*at)[1]);
  }
  ASSERT_EQ(images.size(), 3U);
  std::vector<std::byte> decoded;
  unsigned bits = 0;
  unsigned count = 0;
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const char c : images[1]) {
    if (c == '=') break;
    bits = bits << 6U | static_cast<unsigned>(digits.find(c));
    if ((count += 6) >= 8) decoded.push_back(static_cast<std::byte>(bits >> (count -= 8)));
  }
  EXPECT_EQ(decoded, png);
}

TEST(ReportPage, NeedsNothingElseAndSaysNoPaths) {
  const RunFolder run;
  const std::string page = run.page();
  EXPECT_THAT(page,
              AllOf(Not(HasSubstr("http:")), Not(HasSubstr("https:")), Not(HasSubstr("<script")),
                    Not(HasSubstr("<link")), Not(HasSubstr("url(")), Not(HasSubstr("@import")),
                    Not(HasSubstr(run.directory())), Not(HasSubstr("clean.png"))));
  const std::regex reference("(src|href)=\"([^\"]{0,22})");
  for (std::sregex_iterator at(page.begin(), page.end(), reference), end; at != end; ++at) {
    EXPECT_EQ((*at)[2], "data:image/png;base64,");
  }
}

TEST(ReportPage, IsAccessible) {
  const std::string page = RunFolder().page();
  EXPECT_THAT(page, AllOf(HasSubstr("<html lang=\"en\">"), HasSubstr("scope=\"row\""),
                          HasSubstr("alt=\"Clean image: “a dog runs .”\"")));
  EXPECT_THAT(page, Not(::testing::ContainsRegex("<img [^>]*alt=\"\"")));
  EXPECT_THAT(page, Not(::testing::ContainsRegex("<svg [^>]*aria-label=\"\"")));
}

TEST(ReportPage, EscapesWhatStrangersWrote) {
  RunFolder run;
  const std::string hostile = "<script>alert('1')</script>\" onload=\"x & \u202E";
  for (const char* field : {"caption", "trigger", "published"}) {
    run.record["examples"][0][field] = hostile;
  }
  for (const char* field : {"title", "preset", "version", "command"}) {
    run.record[field] = hostile;
  }
  run.record["settings"] = {{hostile, hostile}};
  run.record["seconds"] = {{hostile, 1}};
  const auto cells = [&](std::size_t table) -> json& {
    return run.record["tables"][table]["cells"];
  };
  cells(0).push_back(cell(hostile, scores(3.25, 408, 3.1, 286)));
  cells(1).push_back(cell_of_vit(hostile, scores(1, 2, 3, 4)));
  cells(1).push_back(cell_of_vit("mem3", scores(3, 351, 3, 244)));
  cells(1).back()["architecture"] = hostile;
  for (json& stressed : cells(2)) stressed["row"] = hostile;
  cells(2).push_back(cell(hostile, scores(1, 200, 3, 200), hostile));
  run.record["runs"][0]["row"] = hostile;
  run.record["runs"][0]["architecture"] = hostile;
  run.record["protections"][0]["row"] = hostile;
  const std::string page = run.page();
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("\" onload")),
                          HasSubstr("<mark>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;")));
  const TemporaryDirectory directory;
  write_figures(directory.path(), draw_figures(run.read()));
  EXPECT_EQ(names_in(directory.path()).size(), 6U);
}

TEST(ReportPage, IsTheSameAgain) {
  const RunFolder run;
  EXPECT_EQ(run.page(), run.page());
  const RunRecord record = run.read();
  write_report(run.path("report.html"), record, draw_figures(record));
  EXPECT_EQ(read_file(run.path("report.html")), run.page());
  EXPECT_THROW(write_report(run.path("none/report.html"), record, {}), FileError);
}

}  // namespace
}  // namespace unlearn::tool::experiments
