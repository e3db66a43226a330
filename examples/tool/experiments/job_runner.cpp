// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/job_runner.hpp"

#include <sys/file.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

namespace fs = std::filesystem;

}  // namespace

JobLock::JobLock(const std::string& file)
    : file_(file, O_CREAT | O_RDWR), held_(::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {}

JobRunner::JobRunner(std::string folder, std::vector<Job> jobs, JobRunnerOptions options)
    : folder_(std::move(folder)), jobs_(std::move(jobs)), options_(std::move(options)) {
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    const auto comes_before = [&](const std::string& name) {
      return std::ranges::find(jobs_.begin(), job, name, &Job::name) != job;
    };
    require(!comes_before(job->name), "jobs", "each name once", "'" + job->name + "' twice");
    for (const std::string& needed : job->needs) {
      require(comes_before(needed), "what job '" + job->name + "' needs", "a job before it",
              "'" + needed + "'");
    }
  }
}

void JobRunner::run() const {
  std::error_code failure;
  fs::create_directories(folder_, failure);
  if (failure) {
    throw FileError(expectation("folder '" + folder_ + "'", "to make it", failure.message()));
  }
  for (const Job& job : jobs_) {
    if (is_complete(job)) job.work();
  }
  while (complete_jobs() < jobs_.size()) {
    if (!work_on_one()) std::this_thread::sleep_for(options_.wait);
  }
}

bool JobRunner::work_on_one() const {
  for (const Job& job : jobs_) {
    if (!may_begin(job)) continue;
    const JobLock lock((fs::path(folder_) / (job.name + ".lock")).string());
    // Another process may have completed it before this one got the lock.
    if (!lock.held() || is_complete(job)) continue;
    if (options_.announce) options_.announce(job, complete_jobs(), jobs_.size());
    job.work();
    if (!is_complete(job)) {
      throw Error(expectation("job '" + job.name + "'", "to end with " + job.done_file, "none"));
    }
    return true;
  }
  return false;
}

bool JobRunner::is_complete(const Job& job) const {
  return fs::exists(fs::path(folder_) / job.name / job.done_file);
}

bool JobRunner::may_begin(const Job& job) const {
  return !is_complete(job) && std::ranges::all_of(job.needs, [&](const std::string& name) {
    return is_complete(*std::ranges::find(jobs_, name, &Job::name));
  });
}

std::size_t JobRunner::complete_jobs() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(jobs_, [&](const Job& job) { return is_complete(job); }));
}

}  // namespace unlearn::tool::experiments
