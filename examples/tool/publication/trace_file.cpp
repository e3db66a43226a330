// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/trace_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "pairs/files/number_table.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool {
namespace {

constexpr const char* round_column = "round";
constexpr std::size_t longest_name = 64;
constexpr std::size_t most_columns = 32;  // far more than a run has stages

}  // namespace

std::vector<std::string> stages_of(std::span<const RoundLosses> trace) {
  std::vector<std::string> names;
  for (const RoundLosses& losses : trace) {
    for (const StageLoss& loss : losses.stages) {
      if (std::ranges::find(names, loss.stage) == names.end()) names.push_back(loss.stage);
    }
  }
  return names;
}

void write_trace_file(const std::string& path, std::span<const RoundLosses> trace) {
  const std::vector<std::string> stages = stages_of(trace);
  std::string text = round_column;
  for (const std::string& stage : stages) text.append(",").append(stage);
  text += '\n';
  for (const RoundLosses& losses : trace) {
    pairs::LineWriter line;
    line(round_column, losses.round + 1);
    for (const std::string& stage : stages) line(stage, losses.of(stage));
    text.append(line.line()) += '\n';
  }
  pairs::write_text_file(path, text);
}

std::vector<RoundLosses> read_trace_file(const std::string& path) {
  const pairs::NumberTable table(path);
  const std::size_t round = table.column(round_column);
  require_in_file(table.header().size() <= most_columns, path, "header",
                  "at most " + number_text(most_columns) + " columns", table.header().size());
  for (const std::string& name : table.header()) {
    require_in_file(!name.empty() && name.size() <= longest_name, path, "header",
                    "names of 1 to " + number_text(longest_name) + " bytes", name.size());
  }
  std::vector<RoundLosses> trace(table.size());
  for (std::size_t row = 0; row < trace.size(); ++row) {
    trace[row].round = static_cast<std::uint32_t>(
        table.whole_number(row, round, 1, std::numeric_limits<std::uint32_t>::max()) - 1);
    for (std::size_t column = 0; column < table.header().size(); ++column) {
      const std::optional<double> mean = table.at(row, column);
      if (column == round || !mean) continue;
      trace[row].stages.push_back({.stage = table.header()[column], .mean = *mean});
    }
  }
  return trace;
}

}  // namespace unlearn::tool
