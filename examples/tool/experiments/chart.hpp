// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace unlearn::tool::experiments {

/// A drawn figure: what is between `<svg>` and `</svg>`, in the colours of the light palette.
struct Drawing {
  int width = 0;
  int height = 0;
  std::string body{};

  /// As a part of an HTML page: its colours are the page's variables, and `alternative` is what it
  /// says to those who cannot see it.
  [[nodiscard]] std::string in_page(const std::string& alternative) const;
  /// As an SVG file, on a light ground.
  [[nodiscard]] std::string as_file(const std::string& alternative) const;
};

/// Curves over epochs or rounds. Each is named at its right end.
struct LineChart {
  enum class Dash { solid, dashed, dotted };
  struct Line {
    std::string label{};   ///< none for a curve that another one explains
    std::string colour{};  ///< the palette's name for it
    Dash dash = Dash::solid;
    double width = 2;
    std::vector<std::pair<double, double>> points{};  ///< by rising x
  };
  struct Level {
    std::string label{};
    std::string colour{};
    double y = 0;
  };
  std::string x_label{};
  std::string y_label{};
  bool logarithmic = false;  ///< of y, unless a y is not positive or all are within a factor of 2
  std::vector<Line> lines{};
  std::vector<Level> levels{};  ///< dashed across the figure

  /// @throws InvalidArgument without a point, or for one that is not finite
  /// @throws Error when gnuplot is missing or complains
  [[nodiscard]] Drawing draw() const;
};

/// A row for each thing that is compared, with a filled and a hollow dot on one logarithmic scale.
struct DotChart {
  struct Row {
    std::string label{};
    std::string colour{};
    std::optional<double> filled{};
    std::optional<double> hollow{};
  };
  std::string x_label{};
  std::string filled_label{};
  std::string hollow_label{};
  std::vector<Row> rows{};

  /// @throws InvalidArgument without a dot, or for one that is not finite and positive
  /// @throws Error when gnuplot is missing or complains
  [[nodiscard]] Drawing draw() const;
};

}  // namespace unlearn::tool::experiments
