// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clip/training/epoch_record.hpp"
#include "pairs/images/image.hpp"
#include "tool/experiments/experiment.hpp"
#include "tool/experiments/scores.hpp"
#include "unlearn/mem/round_losses.hpp"

namespace unlearn::tool::experiments {

/// A model that was trained on what a row publishes.
struct TrainedHacker {
  std::string row{};
  std::string architecture{};
  std::uint64_t seed = 0;
  std::string cleaning = "none";  ///< what was done to the pairs first
  Scores scores{};
  std::optional<std::string> log_file{};  ///< in the run's folder
  std::vector<clip::EpochRecord> log{};   ///< what is in it
};

/// A table with its numbers.
struct TableRecord {
  std::string experiment{};  ///< the id of an Experiment, which says how the table is shown
  std::vector<Cell> cells{};
};

/// How pairs were protected.
struct ProtectionRecord {
  std::string row{};
  nlohmann::json settings{};
  nlohmann::json result{};
  std::optional<std::string> trace_file{};  ///< in the run's folder
  std::vector<RoundLosses> trace{};         ///< what is in it
};

/// How far published images are from clean ones.
struct Perturbation {
  std::optional<double> linf_levels{};  ///< of 255
  std::optional<double> psnr_min{};     ///< dB
  std::optional<double> psnr_mean{};    ///< dB
  std::optional<double> ssim_mean{};
};

/// A pair before and after.
struct Example {
  std::string row{};
  std::optional<std::string> clean_file{};      ///< in the run's folder
  std::optional<std::string> published_file{};  ///< in the run's folder
  std::string caption{};
  std::string trigger{};
  std::string published{};  ///< the caption with the trigger
  std::optional<pairs::Image> clean_image{};
  std::optional<pairs::Image> published_image{};
};

/// What a run measured; what it did not measure is absent.
struct RunRecord {
  std::string title{};
  std::string preset{};
  std::string version{};
  std::string command{};
  std::vector<TableRecord> tables{};
  std::vector<TrainedHacker> runs{};
  std::vector<ProtectionRecord> protections{};
  std::optional<Perturbation> perturbation{};
  std::map<std::string, double> seconds{};  ///< by job
  nlohmann::json settings{};
  std::vector<Example> examples{};

  /// The first table of this layout, or null.
  [[nodiscard]] const TableRecord* table(Layout layout) const;
  /// The scores of the first cell of this method in the first table by row, or null.
  [[nodiscard]] const Scores* find(Method method) const;
};

/// Reads `directory`/report.json and the logs, traces and images that it names.
/// @throws FileError when a file is missing or malformed, or not inside the directory. The message
///         names the file and the field.
[[nodiscard]] RunRecord read_run(const std::string& directory);

/// Settings in settings, as dotted names and their values: {"a": {"b": 1}} is "a.b" and "1".
[[nodiscard]] std::vector<std::pair<std::string, std::string>> flattened(
    const nlohmann::json& settings);

}  // namespace unlearn::tool::experiments
