// SPDX-License-Identifier: Apache-2.0
#include "clip/training/training.hpp"

#include <charconv>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::clip::epoch_log {
namespace {

constexpr std::string_view header =
    "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr";

/// Whether a line is that of this epoch, with as many fields as the header.
bool is_line_of(std::string_view line, std::size_t epoch) {
  return line.starts_with(std::to_string(epoch) + ",") &&
         std::ranges::count(line, ',') == std::ranges::count(header, ',');
}

}  // namespace

std::vector<std::string> read_epoch_lines(const std::string& path, std::size_t epochs) {
  std::vector<std::string> lines;
  if (epochs == 0) return lines;
  std::ifstream file(path);
  unlearn::require_in_file(file.is_open(), path, "log of the epochs before", "a readable file",
                           "none");
  std::string line;
  std::getline(file, line);
  unlearn::require_in_file(line == header, path, "first line", header, line.substr(0, 80));
  while (lines.size() < epochs && std::getline(file, line)) {
    unlearn::require_in_file(is_line_of(line, lines.size() + 1), path,
                             "line " + std::to_string(lines.size() + 2),
                             "epoch " + std::to_string(lines.size() + 1), line.substr(0, 80));
    lines.push_back(line);
  }
  unlearn::require_in_file(lines.size() == epochs, path, "epochs", epochs, lines.size());
  return lines;
}

void write_epoch_lines(const std::string& path, const std::vector<std::string>& lines) {
  unlearn::AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  out << header << '\n';
  for (const std::string& line : lines) out << line << '\n';
  out.flush();
  file.commit();
}

std::string epoch_line(const EpochRecord& record) {
  std::ostringstream line;
  line.imbue(std::locale::classic());
  line.precision(9);
  const auto& [epoch, loss, rate, found] = record;
  line << epoch << ',' << loss << ',' << rate << ',' << found.signal_to_text.hit_at_k << ','
       << found.signal_to_text.median_rank << ',' << found.text_to_signal.hit_at_k << ','
       << found.text_to_signal.median_rank;
  return line.str();
}

}  // namespace unlearn::clip::epoch_log
