// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/figures.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "pairs/cleaning/cleaning_kinds.hpp"
#include "tool/experiments/decimal.hpp"
#include "tool/experiments/experiment.hpp"
#include "tool/experiments/palette.hpp"
#include "tool/publication/trace_file.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool::experiments {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr const char* i2t_label = "image → text";
constexpr const char* t2i_label = "text → image";

std::string file_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    name += plain ? lower : '-';
  }
  return name.substr(0, 40);
}

// --- Median ranks, as dots

std::string ranks_in_words(const std::vector<DotChart::Row>& rows) {
  std::string words = "Dot chart of median ranks.";
  for (const DotChart::Row& row : rows) {
    words += ' ' + row.label + ':';
    if (row.filled) words += ' ' + rank_in_words(*row.filled) + " image to text";
    if (row.filled && row.hollow) words += ',';
    if (row.hollow) words += ' ' + rank_in_words(*row.hollow) + " text to image";
    words += '.';
  }
  return words;
}

void add_dots(std::vector<Figure>& figures, Figure figure, std::vector<DotChart::Row> rows) {
  std::erase_if(rows, [](const DotChart::Row& row) { return !row.filled && !row.hollow; });
  if (rows.empty()) return;
  figure.alternative = ranks_in_words(rows);
  figure.drawing = DotChart{.x_label = "median rank of the match",
                            .filled_label = i2t_label,
                            .hollow_label = t2i_label,
                            .rows = std::move(rows)}
                       .draw();
  figures.push_back(std::move(figure));
}

DotChart::Row dots_of(std::string label, std::string_view row, const Scores& scores) {
  return {.label = std::move(label),
          .colour = std::string(colour_of_row(row)),
          .filled = scores.i2t.medr,
          .hollow = scores.t2i.medr};
}

/// The lines of a table of cleanings, between those that they are compared with.
std::vector<DotChart::Row> dots_by_cleaning(const TableRecord& table, const RunRecord& record) {
  std::vector<DotChart::Row> rows;
  if (const Scores* const untrained = record.find(Method::untrained)) {
    rows.push_back(dots_of(std::string(row::untrained.label), row::untrained.name, *untrained));
  }
  for (const Cell& cell : table.cells) {
    rows.push_back(dots_of(pairs::cleaning_label(cell.cleaning), cell.row, cell.scores));
  }
  if (const Scores* const clean = record.find(Method::clean)) {
    rows.push_back(dots_of("Clean pairs", row::clean.name, *clean));
  }
  return rows;
}

std::vector<DotChart::Row> dots_by_row(const TableRecord& table) {
  std::vector<DotChart::Row> rows;
  for (const Cell& cell : table.cells) {
    rows.push_back(dots_of(row_label(cell.row), cell.row, cell.scores));
  }
  return rows;
}

void add_tables(std::vector<Figure>& figures, const RunRecord& record) {
  for (const TableRecord& table : record.tables) {
    const Experiment& experiment = *find_experiment(table.experiment);
    if (experiment.figure.name.empty() || table.cells.empty()) continue;
    add_dots(figures,
             {.section = std::string(experiment.id),
              .name = std::string(experiment.figure.name),
              .title = with_row(experiment.figure.title, row_label(table.cells.front().row)),
              .note = std::string(experiment.figure.note)},
             experiment.layout == Layout::by_cleaning ? dots_by_cleaning(table, record)
                                                      : dots_by_row(table));
  }
}

// --- Curves

void sort_by_x(Points& points) {
  stable_sort_by(std::span(points), [](const auto& point) { return point.first; });
}

std::string ends_in_words(std::string_view what, const LineChart& chart) {
  std::string words = "Line chart: " + std::string(what) + '.';
  for (const LineChart::Line& line : chart.lines) {
    if (line.label.empty() || line.points.empty()) continue;
    words += ' ' + line.label + " goes from " + rounded_text(line.points.front().second, 3) +
             " to " + rounded_text(line.points.back().second, 3) + '.';
  }
  for (const LineChart::Level& level : chart.levels) {
    words += ' ' + level.label + ": " + rounded_text(level.y, 3) + '.';
  }
  return words;
}

/// Adds a figure unless it would be empty.
void add_lines(std::vector<Figure>& figures, Figure figure, LineChart chart) {
  std::erase_if(chart.lines, [](const LineChart::Line& line) { return line.points.empty(); });
  if (chart.lines.empty()) return;
  figure.alternative = ends_in_words(figure.title, chart);
  figure.drawing = chart.draw();
  figures.push_back(std::move(figure));
}

/// The names of all rows, in the order of the table by row.
std::vector<std::string> rows_in_order(const RunRecord& record) {
  std::vector<std::string> order;
  const auto add = [&](const std::string& row) {
    if (std::ranges::find(order, row) == order.end()) order.push_back(row);
  };
  if (const TableRecord* const table = record.table(Layout::by_row)) {
    for (const Cell& cell : table->cells) add(cell.row);
  }
  for (const TrainedHacker& run : record.runs) add(run.row);
  return order;
}

double value_of(const clip::EpochRecord& epoch, Curve curve) {
  switch (curve) {
    case Curve::i2t_medr: return static_cast<double>(epoch.retrieval.signal_to_text.median_rank);
    case Curve::t2i_medr: return static_cast<double>(epoch.retrieval.text_to_signal.median_rank);
    case Curve::loss: break;
  }
  return epoch.loss;
}

/// What an untrained model has there.
std::vector<LineChart::Level> levels_of(Curve curve, const RunRecord& record) {
  const Scores* const untrained = record.find(Method::untrained);
  if (untrained == nullptr || curve == Curve::loss) return {};
  const auto level = curve == Curve::i2t_medr ? untrained->i2t.medr : untrained->t2i.medr;
  if (!level) return {};
  return {{.label = std::string(row::untrained.label),
           .colour = std::string(row::untrained.name),
           .y = *level}};
}

/// A thin curve for each seed, and a bold one for the mean where all of them have a value.
void add_curves(LineChart& chart, const std::vector<const TrainedHacker*>& seeds,
                const std::string& row, Curve shown) {
  const std::string colour(colour_of_row(row));
  std::map<double, std::pair<double, std::size_t>> sums;
  std::vector<Points> curves;
  for (const TrainedHacker* run : seeds) {
    Points& curve = curves.emplace_back();
    for (const clip::EpochRecord& epoch : run->log) {
      const double y = value_of(epoch, shown);
      curve.emplace_back(epoch.epoch, y);
      auto& [sum, count] = sums[epoch.epoch];
      sum += y;
      ++count;
    }
    sort_by_x(curve);
  }
  for (Points& curve : curves) {
    if (curves.size() > 1) {
      chart.lines.push_back(
          {.label = "", .colour = colour, .width = 0.6, .points = std::move(curve)});
    }
  }
  LineChart::Line mean{.label = row_label(row), .colour = colour};
  for (const auto& [epoch, sum] : sums) {
    if (sum.second == seeds.size()) {
      mean.points.emplace_back(epoch, sum.first / static_cast<double>(sum.second));
    }
  }
  chart.lines.push_back(std::move(mean));
}

void add_training(std::vector<Figure>& figures, const RunRecord& record) {
  const auto logged = std::ranges::find_if(record.runs, [](const TrainedHacker& run) {
    return run.cleaning == "none" && !run.log.empty();
  });
  if (logged == record.runs.end()) return;
  std::map<std::string, std::vector<const TrainedHacker*>> seeds_of;
  bool several = false;
  for (const TrainedHacker& run : record.runs) {
    if (run.architecture != logged->architecture || run.cleaning != "none" || run.log.empty()) {
      continue;
    }
    auto& seeds = seeds_of[run.row];
    seeds.push_back(&run);
    several = several || seeds.size() > 1;
  }
  std::string note = logged->architecture.empty() ? "" : "Trained: " + logged->architecture + ".";
  if (several) note += std::string(note.empty() ? "" : " ") + "Bold: mean; thin: each seed.";

  for (const CurveSpec& spec : training_curves()) {
    LineChart chart{.x_label = "epoch",
                    .y_label = std::string(spec.y_label),
                    .logarithmic = true,
                    .levels = levels_of(spec.curve, record)};
    for (const std::string& row : rows_in_order(record)) {
      const auto seeds = seeds_of.find(row);
      if (seeds != seeds_of.end()) add_curves(chart, seeds->second, row, spec.curve);
    }
    add_lines(figures,
              {.section = training_section,
               .name = std::string(spec.figure.name),
               .title = std::string(spec.figure.title),
               .note = note},
              std::move(chart));
  }
}

void add_protections(std::vector<Figure>& figures, const RunRecord& record) {
  std::map<std::string, int> seen;
  for (const ProtectionRecord& protection : record.protections) {
    const std::string colour(colour_of_row(protection.row));
    LineChart chart{.x_label = "round", .y_label = "loss", .logarithmic = true};
    for (const std::string& stage : stages_of(protection.trace)) {
      constexpr std::array dashes{LineChart::Dash::solid, LineChart::Dash::dashed,
                                  LineChart::Dash::dotted};
      LineChart::Line line{
          .label = stage, .colour = colour, .dash = dashes[chart.lines.size() % dashes.size()]};
      for (const RoundLosses& round : protection.trace) {
        if (const auto loss = round.of(stage)) line.points.emplace_back(round.round + 1, *loss);
      }
      sort_by_x(line.points);
      chart.lines.push_back(std::move(line));
    }
    std::string name = "protection-" + file_name(protection.row);
    if (const int before = seen[name]++; before > 0) name += '-' + std::to_string(before + 1);
    add_lines(figures,
              {.section = protection_section,
               .name = name,
               .title = row_label(protection.row) + ": loss by round",
               .note = ""},
              std::move(chart));
  }
}

}  // namespace

std::vector<Figure> draw_figures(const RunRecord& record) {
  std::vector<Figure> figures;
  add_tables(figures, record);
  add_training(figures, record);
  add_protections(figures, record);
  return figures;
}

void write_figures(const std::string& directory, const std::vector<Figure>& figures) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) {
    throw FileError(expectation("folder '" + directory + "'", "to make it", failure.message()));
  }
  for (const Figure& figure : figures) {
    AtomicFile file((std::filesystem::path(directory) / (figure.name + ".svg")).string());
    const std::string svg = figure.drawing.as_file(figure.alternative);
    file.write(std::as_bytes(std::span(svg)));
    file.commit();
  }
}

}  // namespace unlearn::tool::experiments
