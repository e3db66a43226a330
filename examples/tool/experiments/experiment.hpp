// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tool/experiments/row.hpp"
#include "tool/experiments/scores.hpp"

// What the paper's tables and figures are, as data. A new table is one entry in experiment.cpp: the
// jobs that it needs, its part of report.json, its table on the terminal, its section of the page
// and its figure follow from it.

namespace unlearn::tool::experiments {

/// A row of a table.
struct TableRow {
  const Row* row = nullptr;
  std::size_t hackers =
      1;  ///< that are trained, each with a seed of its own; the row is their mean
};

/// What a table compares; decides on how it is set.
enum class Layout {
  by_row,           ///< one hacker's architecture, no cleaning: a line for each row
  by_cleaning,      ///< one row and one architecture: a line for each cleaning
  by_architecture,  ///< a line for each architecture: its protected rows beside the clean one
};

/// Which models the hackers train.
enum class Architectures {
  surrogate,  ///< what the protector used
  all,        ///< all that the scale names
};

/// A figure, in words. "{row}" stands for the label of the table's first row.
struct FigureSpec {
  std::string_view name{};   ///< of its file
  std::string_view title{};  ///< says what it shows
  std::string_view note{};   ///< what a reader should know about it
};

/// A table: each of its rows, for each architecture, after each cleaning.
struct Experiment {
  std::string_view id{};           ///< in report.json, and of the section on the page
  std::string_view paper_table{};  ///< whose jobs `--table` chooses: "1" or "2"
  Layout layout = Layout::by_row;
  std::vector<TableRow> rows{};
  Architectures architectures = Architectures::surrogate;
  std::vector<std::string_view> cleanings{"none"};  ///< see pairs::cleaning_named()

  std::string_view title{};
  std::string_view explanation{};  ///< above the table; "{row}" as in a figure
  std::string_view note{};         ///< below it
  FigureSpec figure{};             ///< of its median ranks; one without a name is not drawn
  std::string_view paper_title{};  ///< says at which scale the paper's numbers are
  std::vector<Cell> paper{};       ///< the paper's own numbers
};

/// All experiments, in the order in which a page shows them.
[[nodiscard]] std::span<const Experiment> experiments();

/// The experiment of an id, or null.
[[nodiscard]] const Experiment* find_experiment(std::string_view id);

/// The same table with other rows, which may have other numbers of hackers.
/// @throws InvalidArgument for an id that no experiment has
[[nodiscard]] Experiment experiment_with(std::string_view id, std::vector<TableRow> rows);

/// The row whose pairs the report shows before and after.
inline constexpr const Row* shown_row = &row::mem3;

/// What a curve shows, by epoch.
enum class Curve { loss, i2t_medr, t2i_medr };

/// A figure of all hackers' trainings.
struct CurveSpec {
  FigureSpec figure{};
  std::string_view y_label{};
  Curve curve = Curve::loss;
};

/// The figures of the trainings; those of median ranks are the paper's figure 4.
[[nodiscard]] std::span<const CurveSpec> training_curves();

/// A text with "{row}" replaced.
[[nodiscard]] std::string with_row(std::string_view text, std::string_view label);

}  // namespace unlearn::tool::experiments
