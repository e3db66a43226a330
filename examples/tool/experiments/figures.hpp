// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tool/experiments/chart.hpp"
#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::report {

/// A figure of the report.
struct Figure {
  enum class Section { methods, stress, training, protection };
  Section section = Section::methods;
  std::string name{};         ///< of its file: lower case and hyphens
  std::string title{};        ///< says what it shows
  std::string note{};         ///< what a reader should know about it
  std::string alternative{};  ///< its contents in words
  Drawing drawing{};
};

/// What a record has numbers for: median ranks by method and by cleaning, the hackers' training
/// losses and median ranks by epoch (the paper's figure 4), the losses of each protection by round.
/// @throws Error when gnuplot is missing or complains
[[nodiscard]] std::vector<Figure> draw_figures(const RunRecord& record);

/// Writes each as `directory`/<name>.svg and makes the directory.
/// @throws FileError when one cannot be written
void write_figures(const std::string& directory, const std::vector<Figure>& figures);

}  // namespace unlearn::tool::report
