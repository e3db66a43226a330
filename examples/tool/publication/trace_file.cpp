// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/trace_file.hpp"

#include "pairs/files/number_table.hpp"

namespace unlearn::tool {

// What is written and what is read. The structured binding fails when a member is added.
template <class Archive, class Line>
void describe(Archive& archive, Line& line) {
  auto& [round, surrogate, trigger, noise] = line;
  archive("round", round);
  archive("surrogate", surrogate);
  archive("trigger", trigger);
  archive("noise", noise);
}

void write_trace_file(const std::string& path, std::span<const TraceLine> lines) {
  pairs::write_table(path, lines);
}

std::vector<TraceLine> read_trace_file(const std::string& path) {
  return pairs::read_table<TraceLine>(path);
}

}  // namespace unlearn::tool
