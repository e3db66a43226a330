// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/table_record.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <optional>
#include <span>

#include "pairs/cleaning/cleaning_kinds.hpp"
#include "unlearn/core/stable_sort_by.hpp"

namespace unlearn::tool::experiments {
namespace {

/// The mean of one number over all hackers of a cell.
class Mean {
 public:
  void add(const std::optional<double>& value) {
    if (!value) return;
    sum_ += *value;
    ++count_;
  }
  [[nodiscard]] std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return sum_ / count_;
  }

 private:
  double sum_ = 0;
  double count_ = 0;
};

/// The cell with its scores; nothing where no hacker is of it.
std::optional<Cell> filled(Cell cell, const std::vector<TrainedHacker>& runs) {
  std::array<Mean, 4> means;
  bool any = false;
  for (const TrainedHacker& run : runs) {
    if (run.row != cell.row || run.architecture != cell.architecture ||
        run.cleaning != cell.cleaning) {
      continue;
    }
    any = true;
    means[0].add(run.scores.i2t.hit10);
    means[1].add(run.scores.i2t.medr);
    means[2].add(run.scores.t2i.hit10);
    means[3].add(run.scores.t2i.medr);
  }
  if (!any) return std::nullopt;
  cell.scores = {.i2t = {.hit10 = means[0].value(), .medr = means[1].value()},
                 .t2i = {.hit10 = means[2].value(), .medr = means[3].value()}};
  return cell;
}

TableRecord table_of(const Experiment& experiment, const Preset& preset,
                     const std::vector<TrainedHacker>& runs) {
  std::vector<std::string> architectures{preset.surrogate};
  if (experiment.architectures == Architectures::all) architectures = preset.architectures;
  TableRecord table{.experiment = std::string(experiment.id)};
  for (const std::string& architecture : architectures) {
    for (const TableRow& row : experiment.rows) {
      for (const std::string_view cleaning : experiment.cleanings) {
        const std::string name =
            pairs::names_of(pairs::cleaning_of(pairs::cleaning_named(cleaning)));
        auto cell = filled(
            {.row = std::string(row.row->name), .architecture = architecture, .cleaning = name},
            runs);
        if (cell) table.cells.push_back(*std::move(cell));
      }
    }
  }
  return table;
}

std::string line_text(const std::string& name, const Scores& found) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "%-10s %9.1f %6.0f   %9.1f %6.0f\n", name.c_str(),
                found.i2t.hit10.value_or(0), found.i2t.medr.value_or(0),
                found.t2i.hit10.value_or(0), found.t2i.medr.value_or(0));
  return text.data();
}

std::string table_text(const TableRecord& table, Layout layout) {
  std::string text;
  switch (layout) {
    case Layout::by_row:
      for (const Cell& cell : table.cells) text += line_text(cell.row, cell.scores);
      break;
    case Layout::by_cleaning: {
      text = table.cells.front().row + ", cleaned by its hacker:\n";
      std::vector<Cell> cells = table.cells;
      stable_sort_by(std::span(cells), [](const Cell& cell) { return cell.cleaning; });
      for (const Cell& cell : cells) text += line_text(cell.cleaning, cell.scores);
      break;
    }
    case Layout::by_architecture:
      text = "by architecture:\n";
      for (const Cell& cell : table.cells) {
        text += line_text(cell.architecture + ' ' + cell.row, cell.scores);
      }
      break;
  }
  return text;
}

}  // namespace

std::vector<TableRecord> tables_of(const Preset& preset, const std::vector<TrainedHacker>& runs) {
  std::vector<TableRecord> tables;
  for (const Experiment& experiment : preset.experiments) {
    TableRecord table = table_of(experiment, preset, runs);
    if (!table.cells.empty()) tables.push_back(std::move(table));
  }
  return tables;
}

std::string tables_text(const Preset& preset, const RunRecord& record) {
  std::array<char, 160> head{};
  std::snprintf(head.data(), head.size(), "%-10s %9s %6s   %9s %6s\n%-10s %9s %6s   %9s %6s\n", "",
                "I->T", "", "T->I", "", "trained on", "Hit@10", "MedR", "Hit@10", "MedR");
  std::string text = head.data();
  for (const Layout layout : {Layout::by_row, Layout::by_cleaning, Layout::by_architecture}) {
    // With one architecture there is nothing to compare.
    if (layout == Layout::by_architecture && preset.architectures.size() < 2) continue;
    for (const TableRecord& table : record.tables) {
      if (find_experiment(table.experiment)->layout == layout) text += table_text(table, layout);
    }
  }
  return text;
}

}  // namespace unlearn::tool::experiments
