// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "unlearn/io/file.hpp"

namespace unlearn::tool::experiments {

/// A piece of work that fills a folder of its own.
struct Job {
  std::string name{};                ///< of its folder
  std::string done_file{};           ///< a file in the folder, written last: the job is complete
  std::vector<std::string> needs{};  ///< names of jobs that must be complete before it begins
  /// Makes the folder, or goes on with one that an interrupted run has left. For a complete job it
  /// must do nothing, but may throw when the folder was made with other settings.
  std::function<void()> work{};
};

/// The right to work on a job, which one process has at a time. It ends with this object, and with
/// the process however that ends.
class JobLock {
 public:
  /// Tries to get the right; does not wait.
  /// @param file is made when it is not there
  /// @throws FileError when it cannot be opened
  explicit JobLock(const std::string& file);

  /// Whether this object has the right.
  [[nodiscard]] bool held() const { return held_; }

 private:
  FileDescriptor file_;
  bool held_;
};

struct JobRunnerOptions {
  /// Is told which job begins, and how many of all are complete.
  std::function<void(const Job& job, std::size_t complete, std::size_t all)> announce{};
  /// How long to wait where other processes do all that can be done.
  std::chrono::milliseconds wait{2000};
};

/// Does jobs that depend on each other. Several processes that are given the same folder and the
/// same jobs share the work.
class JobRunner {
 public:
  /// @param folder of the jobs' folders
  /// @throws InvalidArgument when two jobs have one name, or a job needs one that does not come
  ///         before it
  JobRunner(std::string folder, std::vector<Job> jobs, JobRunnerOptions options = {});

  /// Calls `work` of all complete jobs, so that they may refuse. Then takes the first job that can
  /// begin and that no other process works on, again and again, until all are complete.
  /// @throws what a job throws; its lock is then free, and the others are as they were
  /// @throws Error when a job's work ends without its done file
  void run() const;

 private:
  [[nodiscard]] bool is_complete(const Job& job) const;
  [[nodiscard]] bool may_begin(const Job& job) const;
  [[nodiscard]] std::size_t complete_jobs() const;
  [[nodiscard]] bool work_on_one() const;

  std::string folder_;
  std::vector<Job> jobs_;
  JobRunnerOptions options_;
};

}  // namespace unlearn::tool::experiments
