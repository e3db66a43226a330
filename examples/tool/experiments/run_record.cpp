// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/run_record.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "pairs/files/json_text.hpp"
#include "tool/experiments/report_file.hpp"
#include "tool/publication/trace_file.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::tool::experiments {
namespace {

using nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{64} << 20U;

/// "none" first, then by falling median ranks.
std::pair<bool, double> place_of_cleaning(const Cell& cell) {
  const auto& [i2t, t2i] = cell.scores;
  return {cell.cleaning != "none",
          -std::log(i2t.medr.value_or(1)) - std::log(t2i.medr.value_or(1))};
}

/// Puts the lines of a table in the order in which they are shown.
void sort_cells(TableRecord& table) {
  const Layout layout = find_experiment(table.experiment)->layout;
  if (layout == Layout::by_cleaning) {
    stable_sort_by(std::span(table.cells), place_of_cleaning);
    return;
  }
  // Architectures stay in the order in which they come.
  std::vector<std::string> architectures;
  for (const Cell& cell : table.cells) architectures.push_back(cell.architecture);
  stable_sort_by(std::span(table.cells), [&](const Cell& cell) {
    const auto first = std::ranges::find(architectures, cell.architecture);
    return std::pair(layout == Layout::by_row ? 0 : first - architectures.begin(),
                     place_of_row(cell.row));
  });
}

/// Reads the files that a report names.
class FolderReader {
 public:
  explicit FolderReader(const std::string& directory)
      : directory_(directory), report_((directory_ / "report.json").string()) {}

  RunRecord read() const {
    RunRecord record = read_report_file(report_);
    for (TableRecord& table : record.tables) sort_cells(table);
    for (std::size_t i = 0; i < record.runs.size(); ++i) {
      TrainedHacker& run = record.runs[i];
      if (!run.log_file) continue;
      run.log = clip::read_epoch_log(file_named_by(place("runs", i) + "/log", *run.log_file));
    }
    for (std::size_t i = 0; i < record.protections.size(); ++i) {
      ProtectionRecord& protection = record.protections[i];
      if (!protection.trace_file) continue;
      protection.trace = read_trace_file(
          file_named_by(place("protections", i) + "/trace", *protection.trace_file));
    }
    for (std::size_t i = 0; i < record.examples.size(); ++i) {
      read_images(place("examples", i), record.examples[i]);
    }
    return record;
  }

 private:
  static std::string place(const char* list, std::size_t i) {
    return '/' + std::string(list) + '/' + std::to_string(i);
  }

  /// The path of a file that a field names.
  [[nodiscard]] std::string file_named_by(const std::string& field, const std::string& name) const {
    const auto require_name = [&](bool holds, std::string_view expected, const std::string& got) {
      require_in_file(holds, report_, field, expected, got);
    };
    const std::filesystem::path path(name);
    const bool printable = std::ranges::none_of(
        name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    const bool relative = !name.empty() && printable && path.is_relative() &&
                          std::ranges::find(path, "..") == path.end();
    const std::string quoted = pairs::json_quoted(name);
    require_name(relative, "a relative path without '..' and control characters", quoted);
    // A link may lead outside all the same.
    std::error_code failure;
    const auto target = std::filesystem::canonical(directory_ / path, failure);
    require_name(!failure, "a file", quoted + " (" + failure.message() + ")");
    const auto home = std::filesystem::canonical(directory_);
    const auto [in_home, in_target] = std::ranges::mismatch(home, target);
    require_name(in_home == home.end(), "a file inside the run's folder",
                 quoted + ", a link that leads out of it");
    return (directory_ / path).string();
  }

  [[nodiscard]] std::optional<pairs::Image> read_image(
      const std::string& field, const std::optional<std::string>& name) const {
    if (!name) return std::nullopt;
    // What a page can hold as it is.
    return pairs::read_image(file_named_by(field, *name),
                             {.side = 2048, .pixels = 2048UL * 2048, .file_bytes = most_bytes});
  }

  void read_images(const std::string& field, Example& example) const {
    example.clean_image = read_image(field + "/clean", example.clean_file);
    example.published_image = read_image(field + "/protected", example.published_file);
    if (!example.clean_image || !example.published_image) return;
    const auto size = [](const pairs::Image& image) {
      return std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels";
    };
    const std::string expected = size(*example.clean_image);
    const std::string got = size(*example.published_image);
    require_in_file(got == expected, report_, field,
                    "a protected image as large as the clean one, " + expected, got);
  }

  std::filesystem::path directory_;
  std::string report_;
};

void flatten(const json& value, const std::string& name,
             std::vector<std::pair<std::string, std::string>>& flat) {
  const auto is_structured = [](const json& element) { return element.is_structured(); };
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, member] : value.items()) {
      flatten(member, name.empty() ? key : name + '.' + key, flat);
    }
  } else if (value.is_array() && std::ranges::any_of(value, is_structured)) {
    std::size_t number = 0;
    for (const json& element : value) {
      flatten(element, name + '[' + std::to_string(number++) + ']', flat);
    }
  } else {
    flat.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

}  // namespace

const TableRecord* RunRecord::table(Layout layout) const {
  const auto found = std::ranges::find_if(tables, [&](const TableRecord& table) {
    const Experiment* const experiment = find_experiment(table.experiment);
    return experiment != nullptr && experiment->layout == layout;
  });
  return found == tables.end() ? nullptr : &*found;
}

const Scores* RunRecord::find(Method method) const {
  const TableRecord* const methods = table(Layout::by_row);
  if (methods == nullptr) return nullptr;
  const auto found = std::ranges::find_if(
      methods->cells, [&](const Cell& cell) { return is_row_of(method, cell.row); });
  return found == methods->cells.end() ? nullptr : &found->scores;
}

RunRecord read_run(const std::string& directory) { return FolderReader(directory).read(); }

std::vector<std::pair<std::string, std::string>> flattened(const json& settings) {
  std::vector<std::pair<std::string, std::string>> flat;
  if (!settings.is_null() && !settings.empty()) flatten(settings, "", flat);
  return flat;
}

}  // namespace unlearn::tool::experiments
