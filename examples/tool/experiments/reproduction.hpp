// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tool/experiments/job_runner.hpp"
#include "tool/experiments/plan.hpp"
#include "tool/experiments/run_record.hpp"
#include "tool/publication/verification.hpp"

namespace unlearn::tool::experiments {

/// What is reproduced, on which pairs, and where.
struct Reproduction {
  const Preset& preset;
  PaperTables tables = PaperTables::all;
  CleanPairs pairs{};   ///< with the splits "train" and "test"
  std::string vocab{};  ///< "words", a merge list, or nothing for an installed one
  std::string out{};    ///< a folder for jobs/, examples/, report.json and report.html
  std::uint64_t seed = 1;
  unsigned threads = 0;  ///< 0 for one a core
  bool quiet = false;

  /// The folder of a job.
  [[nodiscard]] std::string folder(const std::string& job) const;
};

/// The work that needs models. Each fills the folder of its job, or goes on with what is there.
struct Workers {
  std::function<void(const ProtectionSpec&)> protect{};
  std::function<void(const HackerSpec&)> train{};
  std::function<Scores(const HackerSpec&)> evaluate_untrained{};
};

/// The jobs of a plan, in its order.
[[nodiscard]] std::vector<Job> jobs_of(const Plan& plan, const Workers& workers);

/// Does all jobs that the tables need, reads the results from the disk, and writes report.json and
/// report.html.
/// @returns what was written to report.json
/// @throws Error when a job fails, or published pairs are not what their manifest promises
[[nodiscard]] RunRecord reproduce(const Reproduction& reproduction, const Workers& workers);

}  // namespace unlearn::tool::experiments
