// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/figures.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "tool/experiments/decimal.hpp"
#include "tool/experiments/palette.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool::report {
namespace {

using Section = Figure::Section;
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

DotChart::Row dots_of(std::string label, std::string_view colour, const Scores& scores) {
  return {.label = std::move(label),
          .colour = std::string(colour),
          .filled = scores.i2t.medr,
          .hollow = scores.t2i.medr};
}

void add_methods(std::vector<Figure>& figures, const RunRecord& record) {
  std::vector<DotChart::Row> rows;
  for (const NamedScores& row : record.rows) {
    rows.push_back(dots_of(row_label(row.name), colour_of_row(row.name), row.scores));
  }
  add_dots(figures,
           {.section = Section::methods,
            .name = "methods",
            .title = "How far down the list the match is",
            .note = "Further right: the hacker learned less."},
           std::move(rows));
}

void add_stress(std::vector<Figure>& figures, const RunRecord& record) {
  if (!record.stress || record.stress->cleanings.empty()) return;
  std::vector<DotChart::Row> rows;
  const auto add_row = [&](const char* name, std::string label) {
    if (const Scores* scores = find_scores(record.rows, name)) {
      rows.push_back(dots_of(std::move(label), colour_of_row(name), *scores));
    }
  };
  add_row("random", "Untrained");
  for (const NamedScores& cleaning : record.stress->cleanings) {
    rows.push_back(
        dots_of(cleaning_label(cleaning.name), colour_of_row(record.stress->row), cleaning.scores));
  }
  add_row("clean", "Clean pairs");
  add_dots(figures,
           {.section = Section::stress,
            .name = "stress",
            .title = row_label(record.stress->row) + " after somebody cleans the pairs",
            .note = "A cleaning whose dots reach those of the clean pairs has removed the "
                    "protection."},
           std::move(rows));
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

/// Rows with a log, in the order of the record's rows.
std::vector<std::string> rows_in_order(const RunRecord& record) {
  std::vector<std::string> order;
  const auto add = [&](const std::string& row) {
    if (std::ranges::find(order, row) == order.end()) order.push_back(row);
  };
  for (const NamedScores& row : record.rows) add(row.name);
  for (const TrainedHacker& run : record.runs) add(run.row);
  return order;
}

using Value = std::function<std::optional<double>(const EpochLine&)>;

/// A thin curve for each seed, and a bold one for the mean where all of them have a value.
void add_curves(LineChart& chart, const std::vector<const TrainedHacker*>& seeds,
                const std::string& row, const Value& value) {
  const std::string colour(colour_of_row(row));
  std::map<double, std::pair<double, std::size_t>> sums;
  std::vector<Points> curves;
  for (const TrainedHacker* run : seeds) {
    Points& curve = curves.emplace_back();
    for (const EpochLine& line : run->log) {
      const std::optional<double> y = value(line);
      if (!y) continue;
      curve.emplace_back(line.epoch, *y);
      auto& [sum, count] = sums[line.epoch];
      sum += *y;
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

  const auto add = [&](const char* name, const char* title, LineChart chart, const Value& value) {
    for (const std::string& row : rows_in_order(record)) {
      const auto seeds = seeds_of.find(row);
      if (seeds != seeds_of.end()) add_curves(chart, seeds->second, row, value);
    }
    add_lines(figures, {.section = Section::training, .name = name, .title = title, .note = note},
              std::move(chart));
  };
  const Scores* const untrained = find_scores(record.rows, "random");
  const auto level = [](const std::optional<double>& medr) {
    std::vector<LineChart::Level> levels;
    if (medr) levels.push_back({.label = "Untrained", .colour = "random", .y = *medr});
    return levels;
  };
  add("training-loss", "Training loss by epoch",
      {.x_label = "epoch", .y_label = "loss on what was published", .logarithmic = true},
      [](const EpochLine& line) { return line.loss; });
  add("medr-image-to-text", "Median rank by epoch, image to text",
      {.x_label = "epoch",
       .y_label = "median rank on clean pairs",
       .logarithmic = true,
       .levels = level(untrained != nullptr ? untrained->i2t.medr : std::nullopt)},
      [](const EpochLine& line) { return line.scores.i2t.medr; });
  add("medr-text-to-image", "Median rank by epoch, text to image",
      {.x_label = "epoch",
       .y_label = "median rank on clean pairs",
       .logarithmic = true,
       .levels = level(untrained != nullptr ? untrained->t2i.medr : std::nullopt)},
      [](const EpochLine& line) { return line.scores.t2i.medr; });
}

void add_protections(std::vector<Figure>& figures, const RunRecord& record) {
  std::map<std::string, int> seen;
  for (const ProtectionTrace& protection : record.protections) {
    const std::string colour(colour_of_row(protection.row));
    LineChart chart{.x_label = "round", .y_label = "loss", .logarithmic = true};
    const auto add = [&](const char* label, LineChart::Dash dash,
                         std::optional<double> TraceLine::* stage) {
      LineChart::Line line{.label = label, .colour = colour, .dash = dash};
      for (const TraceLine& round : protection.lines) {
        if (round.*stage) line.points.emplace_back(round.round, *(round.*stage));
      }
      sort_by_x(line.points);
      chart.lines.push_back(std::move(line));
    };
    add("surrogate", LineChart::Dash::solid, &TraceLine::surrogate);
    add("trigger", LineChart::Dash::dashed, &TraceLine::trigger);
    add("noise", LineChart::Dash::dotted, &TraceLine::noise);
    std::string name = "protection-" + file_name(protection.row);
    if (const int before = seen[name]++; before > 0) name += '-' + std::to_string(before + 1);
    add_lines(figures,
              {.section = Section::protection,
               .name = name,
               .title = row_label(protection.row) + ": loss by round",
               .note = ""},
              std::move(chart));
  }
}

}  // namespace

std::vector<Figure> draw_figures(const RunRecord& record) {
  std::vector<Figure> figures;
  add_methods(figures, record);
  add_stress(figures, record);
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

}  // namespace unlearn::tool::report
