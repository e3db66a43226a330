// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/plan.hpp"

#include <algorithm>

namespace unlearn::tool::experiments {
namespace {

std::string protection_job(const Row& row) { return "protect-" + std::string(row.name); }

std::string hacker_job(const HackerSpec& hacker, const Preset& preset) {
  std::string name = "train-" + std::string(hacker.row->name) + "-" + std::to_string(hacker.number);
  if (hacker.architecture != preset.surrogate) name.append("-").append(hacker.architecture);
  if (const std::string cleaning = hacker.cleaning_name(); cleaning != "none") {
    name.append("-").append(cleaning);
  }
  std::ranges::replace(name, ' ', '-');
  return name;
}

/// A hacker with everything that follows from what it does.
HackerSpec completed(HackerSpec hacker, const Preset& preset) {
  hacker.job = hacker_job(hacker, preset);
  if (hacker.row->is_protected()) hacker.pairs_job = protection_job(*hacker.row);
  return hacker;
}

bool is_wanted(const Experiment& experiment, PaperTables tables) {
  return tables == PaperTables::all ||
         experiment.paper_table == (tables == PaperTables::first ? "1" : "2");
}

void add(Plan& plan, const HackerSpec& hacker, const Preset& preset) {
  if (std::ranges::find(plan.hackers, hacker.job, &HackerSpec::job) != plan.hackers.end()) return;
  plan.hackers.push_back(hacker);
  if (!hacker.row->is_protected() ||
      std::ranges::find(plan.protections, hacker.pairs_job, &ProtectionSpec::job) !=
          plan.protections.end()) {
    return;
  }
  ProtectionSpec protection{.row = hacker.row, .job = hacker.pairs_job};
  if (hacker.row->method == Method::uap) {
    const HackerSpec surrogate =
        completed({.row = &row::clean, .architecture = preset.surrogate}, preset);
    add(plan, surrogate, preset);
    protection.surrogate_job = surrogate.job;
  }
  plan.protections.push_back(protection);
}

/// The hackers of one experiment: row by row, or architecture by architecture.
std::vector<HackerSpec> hackers_of(const Experiment& experiment, const Preset& preset) {
  std::vector<std::string> architectures{preset.surrogate};
  if (experiment.architectures == Architectures::all) architectures = preset.architectures;
  std::vector<HackerSpec> hackers;
  for (const std::string& architecture : architectures) {
    for (const TableRow& row : experiment.rows) {
      for (const std::string_view cleaning : experiment.cleanings) {
        for (std::size_t number = 1; number <= row.hackers; ++number) {
          hackers.push_back(completed({.row = row.row,
                                       .architecture = architecture,
                                       .number = number,
                                       .cleaning = pairs::cleaning_named(cleaning)},
                                      preset));
        }
      }
    }
  }
  return hackers;
}

}  // namespace

std::string HackerSpec::cleaning_name() const {
  return pairs::names_of(pairs::cleaning_of(cleaning));
}

std::vector<std::string> Plan::order() const {
  std::vector<std::string> jobs;
  for (const HackerSpec& hacker : hackers) {
    if (hacker.pairs_job.empty()) jobs.push_back(hacker.job);
  }
  for (const ProtectionSpec& protection : protections) jobs.push_back(protection.job);
  for (const HackerSpec& hacker : hackers) {
    if (!hacker.pairs_job.empty()) jobs.push_back(hacker.job);
  }
  return jobs;
}

Plan plan_of(const Preset& preset, PaperTables tables) {
  Plan plan;
  for (const Experiment& experiment : preset.experiments) {
    for (const HackerSpec& hacker : hackers_of(experiment, preset)) {
      if (hacker.row->method == Method::untrained) {
        // It costs next to nothing, and every table can be read against it.
        plan.untrained.push_back(hacker);
      } else if (is_wanted(experiment, tables)) {
        add(plan, hacker, preset);
      }
    }
  }
  return plan;
}

}  // namespace unlearn::tool::experiments
