// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/chart.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>

#include "tool/experiments/gnuplot.hpp"
#include "tool/experiments/html.hpp"
#include "tool/experiments/palette.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool::experiments {
namespace {

constexpr int figure_width = 460;
constexpr int font_size = 13;
constexpr double character_width = 6.9;  // generous: gnuplot cannot measure the reader's font
constexpr std::size_t longest_label = 26;

/// Cut between characters of UTF-8.
std::string shortened(std::string_view label) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(label[i]) & 0xC0U) != 0x80U;
    if (starts && ++characters > longest_label) return std::string(label.substr(0, i)) + "…";
  }
  return std::string(label);
}

double width_of(std::string_view label) {
  const auto characters = std::ranges::count_if(
      label, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  return static_cast<double>(characters) * character_width;
}

/// A gnuplot script as it grows; numbers are the same in every locale.
class Script {
 public:
  Script& operator<<(std::string_view text) {
    text_ += text;
    return *this;
  }
  Script& operator<<(const char* text) { return *this << std::string_view(text); }
  Script& operator<<(double number) { return *this << number_text(number); }
  Script& operator<<(int number) { return *this << number_text(number); }
  Script& string(std::string_view text) { return *this << gnuplot_string(text); }
  Script& colour(std::string_view name) {
    return *this << " rgb '" << colour_named(name).light << "'";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// What all figures have in common.
struct Canvas {
  double width = figure_width;
  double height = 0;
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;

  [[nodiscard]] double plot_height() const { return height - top - bottom; }

  void begin(Script& script) const {
    script << "set encoding utf8\nset terminal svg size " << width << "," << height
           << " dynamic noenhanced rounded font 'sans-serif," << font_size << "'\n"
           << "set border 1 lc";
    script.colour("rule") << "\nunset key\nset samples 2\nset tics nomirror scale 0.4 textcolor";
    script.colour("muted") << "\nset lmargin at screen " << left / width
                           << "\nset rmargin at screen " << 1 - right / width
                           << "\nset tmargin at screen " << 1 - top / height
                           << "\nset bmargin at screen " << bottom / height << "\n";
  }
};

// --- What gnuplot prints, as a part of a page

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// Removes the text from each `from` to the next `to`.
void cut_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
    const std::size_t end = text.find(to, at + from.size());
    text.erase(at, end == std::string::npos ? end : end + to.size() - at);
  }
}

/// "rgb( 31,  35,  40)" to "#1f2328"
void shorten_colours(std::string& text) {
  static constexpr std::string_view digits = "0123456789abcdef";
  static constexpr std::string_view start = "rgb(";
  for (std::size_t at = 0; (at = text.find(start, at)) != std::string::npos; ++at) {
    std::string colour = "#";
    std::size_t next = at + start.size();
    for (int channel = 0; channel < 3; ++channel) {
      next = std::min(text.find_first_not_of(' ', next), text.size());
      unsigned value = 0;
      const auto read = std::from_chars(text.data() + next, text.data() + text.size(), value);
      colour += digits[value / 16 % 16];
      colour += digits[value % 16];
      next = static_cast<std::size_t>(read.ptr - text.data()) + 1;  // behind the comma
    }
    text.replace(at, std::min(next, text.size()) - at, colour);
  }
}

/// Takes out groups without content, which are a third of what gnuplot prints.
void drop_empty_groups(std::string& text) {
  static constexpr std::string_view end = "</g>";
  for (std::size_t at = 0; (at = text.find(end, at)) != std::string::npos;) {
    const std::size_t start = text.rfind("<g ", at);
    const std::size_t content = start == std::string::npos ? start : text.find('>', start) + 1;
    if (content <= at && text.find_first_not_of(" \t\n", content) == at) {
      text.erase(start, at + end.size() - start);
      at = start;
    } else {
      at += end.size();
    }
  }
}

Drawing drawing_of(const Script& script, const Canvas& canvas) {
  std::string svg = run_gnuplot(script.text());
  static constexpr std::string_view first = "<g id=\"gnuplot_canvas\">";
  const std::size_t begin = svg.find(first);
  const std::size_t end = svg.rfind("</g>");
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw Error(expectation("gnuplot", "an SVG figure", "something else"));
  }
  std::string body = svg.substr(begin + first.size(), end - begin - first.size());
  cut_all(body, "<defs>", "</defs>");  // the page would have each id once for every figure
  cut_all(body, "<title>", "</title>");
  cut_all(body, "<rect", "/>");
  cut_all(body, " id=\"", "\"");
  cut_all(body, " font-family=\"", "\"");
  replace_all(body, "<use xlink:href='#gpPt6'", "<circle r='1' stroke='none' fill='currentColor'");
  replace_all(body, "<use xlink:href='#gpPt5'",
              "<circle r='1' stroke='currentColor' stroke-width='0.4' fill='#fdfcfa'");
  shorten_colours(body);
  replace_all(body, " color=\"black\"", "");
  replace_all(body, " color=\"white\"", "");
  replace_all(body, " color=\"gray\"", "");
  drop_empty_groups(body);
  replace_all(body, "\n\n", "\n");
  return {.width = static_cast<int>(canvas.width),
          .height = static_cast<int>(canvas.height),
          .body = std::move(body)};
}

std::string opening(const Drawing& drawing, const std::string& alternative) {
  return "viewBox=\"0 0 " + std::to_string(drawing.width) + ' ' + std::to_string(drawing.height) +
         "\" role=\"img\" aria-label=\"" + escape_html(alternative) + '"';
}

// --- Scales

struct Range {
  double low = 0;
  double high = 0;
};

/// The numbers 1, 2 and 5 times a power of ten in a range; more of them where these are few.
std::vector<double> logarithmic_tics(Range range) {
  std::vector<double> tics;
  for (const auto& steps : {std::vector<double>{1, 10}, {1, 2, 5}, {1, 1.5, 2, 3, 5, 7}}) {
    tics.clear();
    for (double decade = std::pow(10, std::floor(std::log10(range.low))); decade <= range.high;
         decade *= 10) {
      for (const double step : steps) {
        const double tic = decade * step;
        if (step < 10 && tic >= range.low && tic <= range.high) tics.push_back(tic);
      }
    }
    if (tics.size() >= 4) break;
  }
  return tics;
}

void set_logarithmic_tics(Script& script, std::string_view axis, Range range) {
  script << "set logscale " << axis << "\nset " << axis << "tics (";
  std::string_view comma;
  for (const double tic : logarithmic_tics(range)) {
    script << comma;
    script.string(rounded_text(tic, 6)) << " " << tic;
    comma = ", ";
  }
  script << ")\n";
}

/// 1, 2 or 5 times a power of ten, so that a length has at most six of them; whole.
double whole_step(double length) {
  for (double decade = 1;; decade *= 10) {
    for (const double factor : {1., 2., 5.}) {
      if (decade * factor * 6 >= length) return decade * factor;
    }
  }
}

/// Moves labels apart, each as little as it can be; heights within [0, 1].
void spread(std::vector<double>& heights, double gap) {
  std::vector<std::size_t> order(heights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  stable_sort_by(std::span(order), [&](std::size_t i) { return heights[i]; });
  for (int pass = 0; pass < 200; ++pass) {
    bool moved = false;
    for (std::size_t i = 1; i < order.size(); ++i) {
      double& lower = heights[order[i - 1]];
      double& upper = heights[order[i]];
      const double missing = gap - (upper - lower);
      if (missing > 1e-6) {
        lower -= missing / 2;
        upper += missing / 2;
        moved = true;
      }
    }
    if (!moved) break;
    for (double& height : heights) height = std::clamp(height, 0.0, 1.0);
  }
}

void require_finite(double value) {
  require(std::isfinite(value), "number in a figure", "a finite one", value);
}

struct EndLabel {
  std::string text{};
  std::string colour{};
  double x = 0;
  double y = 0;
};

}  // namespace

std::string Drawing::in_page(const std::string& alternative) const {
  return "<svg " + opening(*this, alternative) + ">" + with_variables(body) + "</svg>\n";
}

std::string Drawing::as_file(const std::string& alternative) const {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(width) +
         "\" height=\"" + std::to_string(height) + "\" " + opening(*this, alternative) +
         " font-family=\"system-ui, sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"" +
         std::string(colour_named("paper").light) + "\"/>" + body + "</svg>\n";
}

Drawing LineChart::draw() const {
  Range x{.low = std::numeric_limits<double>::max(), .high = std::numeric_limits<double>::lowest()};
  Range y = x;
  const auto extend = [](Range& range, double value) {
    require_finite(value);
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  };
  std::vector<EndLabel> labels;
  for (const Line& line : lines) {
    for (const auto& [at, value] : line.points) {
      extend(x, at);
      extend(y, value);
    }
    if (!line.label.empty() && !line.points.empty()) {
      labels.push_back({.text = shortened(line.label),
                        .colour = line.colour,
                        .x = line.points.back().first,
                        .y = line.points.back().second});
    }
  }
  require(x.low <= x.high, "points of a figure", "at least 1", 0);
  // A curve that ends early is named where it ends.
  std::vector<EndLabel> inner;
  std::erase_if(labels, [&](const EndLabel& label) {
    const bool early = label.x < x.high - 0.1 * (x.high - x.low);
    if (early) inner.push_back(label);
    return early;
  });
  for (const Level& level : levels) {
    extend(y, level.y);
    labels.push_back(
        {.text = shortened(level.label), .colour = level.colour, .x = x.high, .y = level.y});
  }
  // A narrow range has too few tics on a logarithmic axis, and looks the same on a linear one.
  const bool log = logarithmic && y.low > 0 && y.high > 2 * y.low;
  if (log) {
    const double space = std::max(std::pow(y.high / y.low, 0.06), 1.05);
    y = {.low = y.low / space, .high = y.high * space};
  } else {
    const double space = std::max((y.high - y.low) * 0.06, std::abs(y.high) * 0.02 + 1e-9);
    y = {.low = y.low >= 0 ? std::max(0.0, y.low - space) : y.low - space, .high = y.high + space};
  }
  const auto height_of = [&](double value) {
    return log ? std::log(value / y.low) / std::log(y.high / y.low)
               : (value - y.low) / (y.high - y.low);
  };

  double label_width = 0;
  for (const EndLabel& label : labels) label_width = std::max(label_width, width_of(label.text));
  const Canvas canvas{
      .height = 300, .left = 46, .right = label_width + 22, .top = 34, .bottom = 46};
  Script script;
  canvas.begin(script);
  script << "set grid ytics back lt 1 lw 0.7 lc";
  script.colour("rule") << "\n";
  if (log) {
    set_logarithmic_tics(script, "y", y);
  } else {
    script << "set ytics autofreq\n";
  }
  const double step = whole_step(x.high - x.low);
  script << "set xtics " << std::ceil(x.low / step) * step << "," << step << "\n";
  if (x.low == x.high) x = {.low = x.low - 0.5, .high = x.high + 0.5};
  script << "set xrange [" << x.low << ":" << x.high << "]\nset yrange [" << y.low << ":" << y.high
         << "]\nset label ";
  script.string(log ? y_label + " (log scale)" : y_label)
      << " at screen " << 10 / canvas.width << ", screen " << 1 - 14 / canvas.height << " left tc";
  script.colour("ink") << "\nset label ";
  script.string(x_label) << " at graph 1, screen " << 9 / canvas.height << " right tc";
  script.colour("muted") << "\n";

  std::vector<double> heights;
  for (const EndLabel& label : labels) heights.push_back(height_of(label.y));
  spread(heights, (font_size + 3) / canvas.plot_height());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const EndLabel& label = labels[i];
    script << "set label ";
    script.string(label.text) << " at graph 1, graph " << heights[i] << " left offset screen "
                              << 12 / canvas.width << ", 0 tc";
    script.colour(label.colour) << "\nset arrow from first " << label.x << ", first " << label.y
                                << " to graph "
                                << 1 + 9 / (canvas.width - canvas.left - canvas.right) << ", graph "
                                << heights[i] << " nohead lw 0.7 lc";
    script.colour(label.colour) << "\n";
  }
  for (const EndLabel& label : inner) {
    script << "set label ";
    script.string(label.text) << " at first " << label.x << ", first " << label.y
                              << " left offset character 0.5, character -0.6 tc";
    script.colour(label.colour) << "\n";
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].points.empty()) continue;
    script << "$line" << static_cast<int>(i) << " << END\n";
    for (const auto& [at, value] : lines[i].points) script << at << " " << value << "\n";
    script << "END\n";
  }
  script << "plot ";
  std::string_view comma;
  for (const Level& level : levels) {
    script << comma << level.y << " with lines dt (6,4) lw 1.2 lc";
    script.colour(level.colour) << " notitle";
    comma = ", ";
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (line.points.empty()) continue;
    static constexpr std::array<std::string_view, 3> patterns{"solid", "(7,4)", "(1.5,4)"};
    const bool dots = line.points.size() <= 12 && line.width >= 1;
    script << comma << "$line" << static_cast<int>(i) << " using 1:2 with "
           << (dots ? "linespoints pt 7 ps 0.45" : "lines") << " lw " << line.width << " dt "
           << patterns[static_cast<std::size_t>(line.dash)] << " lc";
    script.colour(line.colour) << " notitle";
    comma = ", ";
  }
  script << "\n";
  return drawing_of(script, canvas);
}

Drawing DotChart::draw() const {
  Range x{.low = std::numeric_limits<double>::max(), .high = 0};
  double label_width = 0;
  for (const Row& row : rows) {
    label_width = std::max(label_width, width_of(shortened(row.label)));
    for (const std::optional<double>& dot : {row.filled, row.hollow}) {
      if (!dot) continue;
      require_finite(*dot);
      require(*dot > 0, "number in a logarithmic figure", "more than 0", *dot);
      x.low = std::min(x.low, *dot);
      x.high = std::max(x.high, *dot);
    }
  }
  require(x.high > 0, "dots of a figure", "at least 1", 0);
  // Room for the dots, and for a few tics where all are close together.
  const double space = std::max(std::pow(x.high / x.low, 0.06), 2 / std::sqrt(x.high / x.low));
  x = {.low = x.low / space, .high = x.high * space};

  const auto count = static_cast<double>(rows.size());
  const Canvas canvas{
      .height = 84 + 25 * count, .left = label_width + 24, .right = 20, .top = 36, .bottom = 48};
  Script script;
  canvas.begin(script);
  set_logarithmic_tics(script, "x", x);
  script << "set grid xtics back lt 1 lw 0.7 lc";
  script.colour("rule") << "\nunset ytics\nset xrange [" << x.low << ":" << x.high
                        << "]\nset yrange [" << count << ":0]\nset label ";
  script.string(x_label + " (log scale)")
      << " at graph 1, screen " << 9 / canvas.height << " right tc";
  script.colour("muted") << "\n";
  const double legend = 1 - 14 / canvas.height;
  double at = canvas.left + 4;
  for (const bool filled : {true, false}) {
    const std::string& label = filled ? filled_label : hollow_label;
    script << "set label '' at screen " << at / canvas.width << ", screen " << legend
           << " point pt " << (filled ? 7 : 6) << " ps 0.9 lc";
    script.colour("ink") << "\nset label ";
    script.string(label) << " at screen " << (at + 10) / canvas.width << ", screen " << legend
                         << " left tc";
    script.colour("ink") << "\n";
    at += width_of(label) + 30;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = static_cast<double>(i) + 0.5;
    script << "set label ";
    script.string(shortened(rows[i].label))
        << " at graph 0, first " << y << " right offset screen " << -12 / canvas.width << ", 0 tc";
    script.colour("ink") << "\n";
    script << "$row" << static_cast<int>(i) << " << END\n";
    // One colour holds for the line and its two dots.
    for (const auto& dot : {rows[i].filled, rows[i].hollow}) {
      if (dot) {
        script << *dot << " " << y << "\n";
      } else {
        script << "NaN NaN\n";
      }
    }
    script << "END\n";
  }
  script << "plot ";
  std::string_view comma;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].filled && !rows[i].hollow) continue;
    const auto dots = [&](std::string_view every, std::string_view style) {
      script << comma << "$row" << static_cast<int>(i) << every << " using 1:2 with " << style
             << " lc";
      script.colour(rows[i].colour) << " notitle";
      comma = ", ";
    };
    dots("", "lines lw 1.5");
    if (rows[i].filled) dots(" every ::0::0", "points pt 7 ps 1");
    if (rows[i].hollow) dots(" every ::1::1", "points pt 6 ps 1");
  }
  script << "\n";
  return drawing_of(script, canvas);
}

}  // namespace unlearn::tool::experiments
