// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pairs/images/image.hpp"

namespace unlearn::tool::report {

/// Retrieval one way, on clean test pairs.
struct Direction {
  std::optional<double> hit10{};  ///< percentage of queries whose match is among the first ten
  std::optional<double> medr{};   ///< median rank of the match, from 1
};

/// Retrieval both ways.
struct Scores {
  Direction i2t{};  ///< image to text
  Direction t2i{};  ///< text to image
};

/// Scores of a method, an architecture's method, or a cleaning.
struct NamedScores {
  std::string name{};
  Scores scores{};
};

/// A line of a training's log.
struct EpochLine {
  double epoch = 0;
  std::optional<double> loss{};
  Scores scores{};
};

/// A model that was trained on what a method published.
struct TrainedHacker {
  std::string row{};
  std::string architecture{};
  std::uint64_t seed = 0;
  std::string cleaning{};  ///< "none", or what was done to the pairs first
  Scores scores{};
  std::vector<EpochLine> log{};
};

struct ArchitectureScores {
  std::string name{};
  std::vector<NamedScores> rows{};
};

/// What is left of a protection after somebody cleaned the pairs.
struct Stress {
  std::string row{};
  std::vector<NamedScores> cleanings{};  ///< "none" first, then by falling ranks
};

/// The losses at the end of a round's stages.
struct TraceLine {
  double round = 0;
  std::optional<double> surrogate{};
  std::optional<double> trigger{};
  std::optional<double> noise{};
};

struct ProtectionTrace {
  std::string row{};
  std::vector<TraceLine> lines{};
};

struct Perturbation {
  std::optional<double> linf_levels{};  ///< of 255
  std::optional<double> psnr_min{};     ///< dB
  std::optional<double> psnr_mean{};    ///< dB
  std::optional<double> ssim_mean{};
};

/// A pair before and after.
struct Example {
  std::string row{};
  std::optional<pairs::Image> clean{};
  std::optional<pairs::Image> published_image{};
  std::string caption{};
  std::string trigger{};
  std::string published{};
};

/// What `unlearn reproduce` left of a run; what it did not measure is absent.
struct RunRecord {
  std::string title{};
  std::string preset{};
  std::string version{};
  std::string command{};
  std::vector<NamedScores> rows{};  ///< means over seeds; known methods in the paper's order
  std::vector<TrainedHacker> runs{};
  std::vector<ArchitectureScores> architectures{};
  std::optional<Stress> stress{};
  std::vector<ProtectionTrace> protections{};
  std::optional<Perturbation> perturbation{};
  std::vector<std::pair<std::string, double>> seconds{};
  std::vector<std::pair<std::string, std::string>> settings{};  ///< dotted names and their values
  std::vector<Example> examples{};
};

/// Reads `directory`/report.json and the logs, traces and images that it names.
/// @throws FileError when a file is missing or malformed, or not inside the directory. The message
///         names the file and the field.
[[nodiscard]] RunRecord read_run(const std::string& directory);

/// The scores under a name, or null.
[[nodiscard]] const Scores* find_scores(const std::vector<NamedScores>& among,
                                        std::string_view name);

/// A method as readers know it: "mem3" is "MEM-3". Any other name stays.
[[nodiscard]] std::string row_label(std::string_view row);

/// A cleaning as readers know it: "jpeg 75" is "JPEG, quality 75". Any other name stays.
[[nodiscard]] std::string cleaning_label(std::string_view cleaning);

}  // namespace unlearn::tool::report
