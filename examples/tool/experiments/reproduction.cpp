// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/reproduction.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tool/experiments/collect.hpp"
#include "tool/experiments/figures.hpp"
#include "tool/experiments/page.hpp"
#include "tool/experiments/report_file.hpp"

namespace unlearn::tool::experiments {
namespace {

namespace fs = std::filesystem;

constexpr const char* jobs_folder = "jobs";

Job training_job(const HackerSpec& hacker, const Workers& workers) {
  Job job{.name = hacker.job, .done_file = "result.json", .work = [hacker, train = workers.train] {
            train(hacker);
          }};
  if (!hacker.pairs_job.empty()) job.needs.push_back(hacker.pairs_job);
  return job;
}

Job protection_job(const ProtectionSpec& protection, const Workers& workers) {
  Job job{.name = protection.job,
          .done_file = "manifest.json",
          .work = [protection, protect = workers.protect] { protect(protection); }};
  if (!protection.surrogate_job.empty()) job.needs.push_back(protection.surrogate_job);
  return job;
}

void announce(const Job& job, std::size_t complete, std::size_t all) {
  std::fprintf(stderr, "[%zu of %zu jobs complete] %s\n", complete, all, job.name.c_str());
}

}  // namespace

std::string Reproduction::folder(const std::string& job) const {
  return (fs::path(out) / jobs_folder / job).lexically_normal().string();
}

std::vector<Job> jobs_of(const Plan& plan, const Workers& workers) {
  std::vector<Job> jobs;
  for (const std::string& name : plan.order()) {
    const auto hacker = std::ranges::find(plan.hackers, name, &HackerSpec::job);
    jobs.push_back(
        hacker != plan.hackers.end()
            ? training_job(*hacker, workers)
            : protection_job(*std::ranges::find(plan.protections, name, &ProtectionSpec::job),
                             workers));
  }
  return jobs;
}

RunRecord reproduce(const Reproduction& reproduction, const Workers& workers) {
  const Plan plan = plan_of(reproduction.preset, reproduction.tables);
  JobRunnerOptions running;
  if (!reproduction.quiet) running.announce = announce;
  JobRunner((fs::path(reproduction.out) / jobs_folder).string(), jobs_of(plan, workers), running)
      .run();

  const RunRecord record = collect(reproduction, plan, workers);
  const fs::path out(reproduction.out);
  write_report_file((out / "report.json").string(), record);
  // The page is made from the folder alone, as `unlearn report` does it later.
  const RunRecord read = read_run(reproduction.out);
  write_report((out / "report.html").string(), read, draw_figures(read));
  return record;
}

}  // namespace unlearn::tool::experiments
