// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tool/experiments/chart.hpp"
#include "tool/experiments/run_record.hpp"

namespace unlearn::tool::experiments {

/// The page's sections of figures that belong to no table.
inline constexpr const char* training_section = "training";
inline constexpr const char* protection_section = "protection";

/// A figure of the report.
struct Figure {
  std::string section{};      ///< of the page: an Experiment's id, or one of those below
  std::string name{};         ///< of its file: lower case and hyphens
  std::string title{};        ///< says what it shows
  std::string note{};         ///< what a reader should know about it
  std::string alternative{};  ///< its contents in words
  Drawing drawing{};
};

/// What a record has numbers for: the median ranks of each table whose Experiment has a figure,
/// the training_curves() of its hackers, the losses of each protection by round.
/// @throws Error when gnuplot is missing or complains
[[nodiscard]] std::vector<Figure> draw_figures(const RunRecord& record);

/// Writes each as `directory`/<name>.svg and makes the directory.
/// @throws FileError when one cannot be written
void write_figures(const std::string& directory, const std::vector<Figure>& figures);

}  // namespace unlearn::tool::experiments
