// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/experiment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "message_of.hpp"
#include "pairs/cleaning/cleaning_kinds.hpp"
#include "tool/experiments/palette.hpp"
#include "tool/experiments/plan.hpp"
#include "tool/experiments/reproduction.hpp"
#include "tool/experiments/table_record.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;

// --- Rows and tables

TEST(Rows, HaveAllThatTablesAndFiguresShow) {
  std::set<std::string_view> names;
  std::set<std::string_view> labels;
  for (const Row* row : all_rows) {
    EXPECT_TRUE(names.insert(row->name).second) << row->name;
    EXPECT_TRUE(labels.insert(row->label).second) << row->name;
    EXPECT_EQ(row->colour.light.size(), 7U) << row->name;
    EXPECT_EQ(row->colour.dark.size(), 7U) << row->name;
    EXPECT_EQ(colour_of_row(row->name), row->name);
    EXPECT_EQ(row->trigger_length > 0, row->method == Method::mem) << row->name;
    EXPECT_EQ(find_row(row->name), row);
    EXPECT_EQ(is_protection(row->name), row->is_protected());
  }
  EXPECT_EQ(find_row("mauve"), nullptr);
  EXPECT_EQ(row_label("mauve"), "mauve");
  EXPECT_TRUE(is_protection("mauve"));
  EXPECT_FALSE(is_row_of(Method::mem, "mauve"));
  EXPECT_LT(place_of_row("mem5"), place_of_row("a"));
  EXPECT_LT(place_of_row("a"), place_of_row("b"));
}

TEST(Experiments, HaveAllThatTheirSectionsNeed) {
  std::set<std::string_view> ids;
  std::set<std::string_view> figures;
  for (const Experiment& experiment : experiments()) {
    EXPECT_TRUE(ids.insert(experiment.id).second) << experiment.id;
    EXPECT_EQ(find_experiment(experiment.id), &experiment);
    for (const std::string_view text :
         {experiment.title, experiment.explanation, experiment.note}) {
      EXPECT_FALSE(text.empty()) << experiment.id;
    }
    EXPECT_FALSE(experiment.rows.empty()) << experiment.id;
    EXPECT_TRUE(experiment.paper_table == "1" || experiment.paper_table == "2");
    for (const std::string_view cleaning : experiment.cleanings) {
      EXPECT_NO_THROW((void)pairs::cleaning_named(cleaning)) << cleaning;
    }
    // A table by cleaning is about one row, and compares with what is not cleaned.
    if (experiment.layout == Layout::by_cleaning) {
      EXPECT_EQ(experiment.rows.size(), 1U);
      EXPECT_EQ(experiment.cleanings.front(), "none");
    }
    EXPECT_EQ(experiment.paper_title.empty(), experiment.paper.empty()) << experiment.id;
    if (!experiment.figure.name.empty()) figures.insert(experiment.figure.name);
  }
  for (const CurveSpec& spec : training_curves()) {
    EXPECT_TRUE(figures.insert(spec.figure.name).second);
    EXPECT_FALSE(spec.figure.title.empty() || spec.y_label.empty()) << spec.figure.name;
  }
  EXPECT_EQ(find_experiment("mauve"), nullptr);
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)experiment_with("mauve", {}); }),
            "experiment: expected the id of one, got mauve");
}

TEST(Experiments, HaveThePapersNumbers) {
  const Experiment& methods = *find_experiment("methods");
  for (const TableRow& row : methods.rows) {
    const auto paper = std::ranges::find(methods.paper, row.row->name, &Cell::row);
    ASSERT_NE(paper, methods.paper.end()) << row.row->name;
    for (const Direction& way : {paper->scores.i2t, paper->scores.t2i}) {
      EXPECT_TRUE(way.hit10 && way.medr) << row.row->name;
    }
  }
  const auto ranks = [](const Experiment& experiment, std::string_view row,
                        std::string_view architecture) {
    const auto found = std::ranges::find_if(experiment.paper, [&](const Cell& cell) {
      return cell.row == row && cell.architecture == architecture;
    });
    return std::pair(found->scores.i2t.medr.value_or(0), found->scores.t2i.medr.value_or(0));
  };
  EXPECT_EQ(ranks(methods, row::mem3.name, "RN50"), std::pair(304.0, 250.0));
  EXPECT_EQ(ranks(methods, row::uap.name, "RN50"), std::pair(110.0, 76.0));
  const Experiment& architectures = *find_experiment("architectures");
  EXPECT_EQ(architectures.paper.size(), 6U);
  EXPECT_EQ(ranks(architectures, row::clean.name, "ViT-B/32"), std::pair(53.0, 52.0));
  EXPECT_EQ(ranks(architectures, row::mem3.name, "RN101"), std::pair(236.0, 197.0));
}

TEST(WithRow, PutsTheLabelIn) {
  EXPECT_EQ(with_row("{row} after cleaning", "MEM-3"), "MEM-3 after cleaning");
  EXPECT_EQ(with_row("nothing", "MEM-3"), "nothing");
  EXPECT_EQ(with_row("a {row}", "{row}"), "a {row}");
}

// --- Plans

std::vector<std::string> job_names(const Preset& preset, PaperTables tables = PaperTables::all) {
  return plan_of(preset, tables).order();
}

TEST(Plan, OfTheDemo) {
  const Preset& preset = preset_named("demo");
  for (const PaperTables tables : {PaperTables::all, PaperTables::first, PaperTables::second}) {
    EXPECT_THAT(job_names(preset, tables),
                ElementsAre("train-clean-1", "protect-mem3", "train-mem3-1"));
    EXPECT_EQ(plan_of(preset, tables).untrained.size(), 1U);
  }
}

TEST(Plan, OfFlickr8k) {
  const Preset& preset = preset_named("flickr8k-cpu");
  EXPECT_THAT(
      job_names(preset),
      ElementsAre("train-clean-1", "train-clean-2", "train-clean-1-rn-small-deep",
                  "train-clean-1-vit-small", "protect-em", "protect-uap", "protect-mem3",
                  "protect-mem5", "train-em-1", "train-uap-1", "train-mem3-1", "train-mem3-2",
                  "train-mem5-1", "train-mem5-2", "train-mem3-1-rn-small-deep",
                  "train-mem3-1-vit-small", "train-mem3-1-strip-words-3", "train-mem3-1-jpeg-75",
                  "train-mem3-1-grayscale", "train-mem3-1-random-crop-0.5-to-1"));
  EXPECT_THAT(job_names(preset, PaperTables::second),
              ElementsAre("train-clean-1", "train-clean-1-rn-small-deep", "train-clean-1-vit-small",
                          "protect-mem3", "train-mem3-1", "train-mem3-1-rn-small-deep",
                          "train-mem3-1-vit-small"));
  EXPECT_THAT(job_names(preset, PaperTables::first),
              ElementsAre("train-clean-1", "train-clean-2", "protect-em", "protect-uap",
                          "protect-mem3", "protect-mem5", "train-em-1", "train-uap-1",
                          "train-mem3-1", "train-mem3-2", "train-mem5-1", "train-mem5-2",
                          "train-mem3-1-strip-words-3", "train-mem3-1-jpeg-75",
                          "train-mem3-1-grayscale", "train-mem3-1-random-crop-0.5-to-1"));
}

TEST(Plan, OfThePaper) {
  EXPECT_THAT(
      job_names(preset_named("paper")),
      ElementsAre("train-clean-1", "train-clean-1-RN101", "train-clean-1-ViT-B-32", "protect-em",
                  "protect-uap", "protect-mem3", "protect-mem5", "train-em-1", "train-uap-1",
                  "train-mem3-1", "train-mem5-1", "train-mem3-1-RN101", "train-mem3-1-ViT-B-32",
                  "train-mem3-1-strip-words-3", "train-mem3-1-jpeg-75", "train-mem3-1-grayscale",
                  "train-mem3-1-random-crop-0.5-to-1"));
}

TEST(Plan, UapNeedsACleanHackerAlsoAlone) {
  Preset preset = preset_named("flickr8k-cpu");
  preset.experiments = {experiment_with("methods", {{&row::uap}})};
  const Plan plan = plan_of(preset);
  EXPECT_THAT(plan.order(), ElementsAre("train-clean-1", "protect-uap", "train-uap-1"));
  EXPECT_EQ(plan.protections.at(0).surrogate_job, "train-clean-1");
  EXPECT_THAT(plan.untrained, IsEmpty());
}

TEST(Plan, SaysSeedsAndNeeds) {
  const Preset& preset = preset_named("flickr8k-cpu");
  const Plan plan = plan_of(preset);
  ASSERT_EQ(plan.untrained.size(), 2U);
  EXPECT_EQ(plan.untrained[1].seed(3), 3002U);
  EXPECT_EQ(plan.untrained[1].architecture, "rn-small");
  std::vector<std::string> done;
  const Workers workers{
      .protect = [&](const ProtectionSpec& spec) { done.push_back(spec.job); },
      .train =
          [&](const HackerSpec& spec) {
            EXPECT_EQ(spec.seed(1), spec.job.find("-2") == std::string::npos ? 1001U : 1002U)
                << spec.job;
            done.push_back(spec.job);
          }};
  for (const Job& job : jobs_of(plan, workers)) {
    const bool train = job.name.starts_with("train-");
    EXPECT_EQ(job.done_file, train ? "result.json" : "manifest.json") << job.name;
    std::vector<std::string> needs;
    if (job.name == "protect-uap") needs = {"train-clean-1"};
    if (train && !job.name.starts_with("train-clean")) {
      const std::string row = job.name.substr(6);
      needs = {"protect-" + row.substr(0, row.find('-'))};
    }
    EXPECT_EQ(job.needs, needs) << job.name;
    job.work();
  }
  EXPECT_EQ(done, plan.order());
}

TEST(Presets, AreNamed) {
  EXPECT_THAT(message_of<InvalidArgument>([] { (void)preset_named("mauve"); }),
              HasSubstr("preset: expected one of demo, flickr8k-cpu, paper, got 'mauve'"));
  for (const Preset& preset : presets()) {
    EXPECT_EQ(&preset_named(preset.name), &preset);
    EXPECT_EQ(std::ranges::count(preset.architectures, preset.surrogate), 1) << preset.name;
    EXPECT_GT(preset.mem.rounds, 0U) << preset.name;
    EXPECT_GT(preset.training.learning_rate, 0) << preset.name;
    const auto has_em = [](const Experiment& experiment) {
      return std::ranges::find(experiment.rows, &row::em, &TableRow::row) != experiment.rows.end();
    };
    EXPECT_EQ(preset.em.rounds > 0, std::ranges::any_of(preset.experiments, has_em)) << preset.name;
  }
}

// --- Tables

TrainedHacker hacker(const Row& row, double rank, std::string cleaning = "none") {
  return {.row = std::string(row.name),
          .architecture = "rn-small",
          .cleaning = std::move(cleaning),
          .scores = {.i2t = {.hit10 = 1, .medr = rank}, .t2i = {.hit10 = 2, .medr = 2 * rank}}};
}

TEST(Tables, HaveTheMeansOfTheirHackers) {
  const Preset& preset = preset_named("flickr8k-cpu");
  const std::vector<TableRecord> tables =
      tables_of(preset, {hacker(row::clean, 10), hacker(row::mem3, 30), hacker(row::mem3, 41),
                         hacker(row::mem3, 12, "strip-words 3"), hacker(row::em, 20)});
  ASSERT_EQ(tables.size(), 3U);
  const auto cell = [](const Row& row, double rank, std::string cleaning = "none") {
    const TrainedHacker of = hacker(row, rank, std::move(cleaning));
    return Cell{of.row, of.architecture, of.cleaning, of.scores};
  };
  EXPECT_THAT(tables[0].cells,
              ElementsAre(cell(row::clean, 10), cell(row::em, 20), cell(row::mem3, 35.5)));
  EXPECT_THAT(tables[1].cells, ElementsAre(cell(row::clean, 10), cell(row::mem3, 35.5)));
  EXPECT_THAT(tables[2].cells,
              ElementsAre(cell(row::mem3, 35.5), cell(row::mem3, 12, "strip-words 3")));
  EXPECT_EQ(tables_text(preset, {.tables = tables}),
            "                I->T               T->I       \n"
            "trained on    Hit@10   MedR      Hit@10   MedR\n"
            "clean            1.0     10         2.0     20\n"
            "em               1.0     20         2.0     40\n"
            "mem3             1.0     36         2.0     71\n"
            "mem3, cleaned by its hacker:\n"
            "none             1.0     36         2.0     71\n"
            "strip-words 3       1.0     12         2.0     24\n"
            "by architecture:\n"
            "rn-small clean       1.0     10         2.0     20\n"
            "rn-small mem3       1.0     36         2.0     71\n");
  EXPECT_THAT(tables_of(preset, {}), IsEmpty());
}

}  // namespace
}  // namespace unlearn::tool::experiments
