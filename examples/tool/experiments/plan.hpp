// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pairs/cleaning/cleaning_kinds.hpp"
#include "tool/experiments/preset.hpp"

namespace unlearn::tool::experiments {

/// Which of the paper's tables are wanted.
enum class PaperTables { first, second, all };

/// Pairs to protect.
struct ProtectionSpec {
  const Row* row = nullptr;
  std::string job{};  ///< the name of its job
  /// The job of the hacker whose model is the surrogate; empty where the protection trains its own.
  std::string surrogate_job{};
};

/// A hacker to train.
struct HackerSpec {
  const Row* row = nullptr;  ///< what on
  std::string architecture{};
  std::size_t number = 1;  ///< among the hackers of its row: decides on the seed
  pairs::CleaningOptions cleaning{};
  std::string job{};        ///< the name of its job
  std::string pairs_job{};  ///< the job that makes its pairs; empty for clean pairs

  /// As report.json names it: "none", "jpeg 75".
  [[nodiscard]] std::string cleaning_name() const;
  /// The seed of its weights, and of the order of its pairs.
  [[nodiscard]] std::uint64_t seed(std::uint64_t run_seed) const {
    return run_seed * 1000 + number;
  }
};

/// What has to be done for the tables.
struct Plan {
  std::vector<HackerSpec> untrained{};  ///< evaluated as they are; no jobs
  std::vector<ProtectionSpec> protections{};
  std::vector<HackerSpec> hackers{};  ///< all others, each once

  /// The names of all jobs in the order in which they are done: hackers of clean pairs, whose model
  /// UAP needs, protections, hackers of protected pairs.
  [[nodiscard]] std::vector<std::string> order() const;
};

/// The plan for a preset's experiments. What several tables need is in it once.
[[nodiscard]] Plan plan_of(const Preset& preset, PaperTables tables = PaperTables::all);

}  // namespace unlearn::tool::experiments
