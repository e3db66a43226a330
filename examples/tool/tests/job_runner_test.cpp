// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/job_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

/// A folder of jobs that write down when they are worked on.
class Jobs {
 public:
  [[nodiscard]] Job job(std::string name, std::vector<std::string> needs = {},
                        milliseconds takes = {}) const {
    return {.name = name, .done_file = "done", .needs = std::move(needs), .work = [=, this] {
              if (std::filesystem::exists(folder(name) + "/done")) return append("check " + name);
              append(name);
              std::this_thread::sleep_for(takes);
              finish(name);
            }};
  }
  void finish(const std::string& name) const {
    std::filesystem::create_directories(folder(name));
    write_file(folder(name) + "/done", "");
  }
  void append(const std::string& line) const {
    const std::string text = line + "\n";
    const FileDescriptor log(directory_ / "log", O_WRONLY | O_CREAT | O_APPEND);
    ASSERT_EQ(::write(log.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] std::vector<std::string> log() const {
    std::vector<std::string> lines;
    std::istringstream text(
        std::filesystem::exists(directory_ / "log") ? read_file(directory_ / "log") : "");
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  [[nodiscard]] std::string folder() const { return directory_ / "jobs"; }
  [[nodiscard]] std::string folder(const std::string& name) const { return folder() + "/" + name; }

  void run(std::vector<Job> jobs) const {
    JobRunner(folder(), std::move(jobs), {.wait = milliseconds(5)}).run();
  }

 private:
  TemporaryDirectory directory_;
};

/// Another process; runs `work` and ends.
template <class Work>
pid_t start(Work&& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int status = 0;
  try {
    work();
  } catch (const std::exception&) {
    status = 1;
  }
  ::_exit(status);
}

int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(JobRunner, DoesJobsInTheirOrder) {
  const Jobs jobs;
  std::vector<std::string> announced;
  JobRunner(jobs.folder(), {jobs.job("a"), jobs.job("b", {"a"}), jobs.job("c")},
            {.announce =
                 [&](const Job& job, std::size_t complete, std::size_t all) {
                   announced.push_back(job.name + " " + std::to_string(complete) + "/" +
                                       std::to_string(all));
                 }})
      .run();
  EXPECT_THAT(jobs.log(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(announced, ElementsAre("a 0/3", "b 1/3", "c 2/3"));
}

TEST(JobRunner, CompleteJobsMayRefuseButAreNotDoneAgain) {
  const Jobs jobs;
  jobs.finish("b");
  jobs.run({jobs.job("a"), jobs.job("b"), jobs.job("c", {"a", "b"})});
  EXPECT_THAT(jobs.log(), ElementsAre("check b", "a", "c"));

  Job other = jobs.job("b");
  other.work = [] { throw FileError("other settings"); };
  EXPECT_EQ(message_of<FileError>([&] { jobs.run({jobs.job("d"), other}); }), "other settings");
  EXPECT_EQ(jobs.log().size(), 3U);  // nothing was begun
}

TEST(JobRunner, GoesOnAfterAJobThatFailed) {
  const Jobs jobs;
  Job failing = jobs.job("b");
  failing.work = [] { throw Error("no room"); };
  EXPECT_EQ(message_of<Error>([&] { jobs.run({jobs.job("a"), failing, jobs.job("c")}); }),
            "no room");
  jobs.run({jobs.job("a"), jobs.job("b"), jobs.job("c")});
  EXPECT_THAT(jobs.log(), ElementsAre("a", "check a", "b", "c"));
}

TEST(JobRunner, RefusesWhatCannotBeDone) {
  const Jobs jobs;
  EXPECT_EQ(message_of<InvalidArgument>([&] { jobs.run({jobs.job("a"), jobs.job("a")}); }),
            "jobs: expected each name once, got 'a' twice");
  EXPECT_EQ(message_of<InvalidArgument>([&] { jobs.run({jobs.job("a", {"b"}), jobs.job("b")}); }),
            "what job 'a' needs: expected a job before it, got 'b'");
  EXPECT_THROW(jobs.run({jobs.job("a", {"a"})}), InvalidArgument);
  Job lazy = jobs.job("a");
  lazy.work = [] {};
  EXPECT_EQ(message_of<Error>([&] { jobs.run({lazy}); }),
            "job 'a': expected to end with done, got none");
  EXPECT_THAT(jobs.log(), IsEmpty());
  write_file(jobs.folder("file"), "");
  EXPECT_THROW(JobRunner(jobs.folder("file"), {}).run(), FileError);
}

TEST(JobLock, IsHeldByOneAndFreedByAnEnd) {
  const TemporaryDirectory directory;
  const std::string file = directory / "a.lock";
  {
    const JobLock lock(file);
    EXPECT_TRUE(lock.held());
    EXPECT_FALSE(JobLock(file).held());
  }
  EXPECT_TRUE(JobLock(file).held());
  EXPECT_THROW(JobLock(directory / "none/a.lock"), FileError);
}

TEST(JobRunner, ProcessesShareAFolder) {
  const Jobs jobs;
  std::vector<Job> all{jobs.job("first", {}, milliseconds(30))};
  for (int i = 0; i < 6; ++i) {
    all.push_back(jobs.job("job-" + std::to_string(i), {"first"}, milliseconds(10)));
  }
  all.push_back(jobs.job("last", {"job-0", "job-5"}, milliseconds(10)));
  const pid_t one = start([&] { jobs.run(all); });
  const pid_t two = start([&] { jobs.run(all); });
  EXPECT_EQ(status_of(one), 0);
  EXPECT_EQ(status_of(two), 0);
  std::vector<std::string> done;
  for (const std::string& line : jobs.log()) {
    // A process that starts late finds complete jobs, and checks them.
    if (!line.starts_with("check ")) done.push_back(line);
  }
  ASSERT_EQ(done.size(), all.size());  // each once
  EXPECT_EQ(done.front(), "first");
  EXPECT_EQ(done.back(), "last");
}

TEST(JobRunner, AnotherProcessWaitsForAJobAndTakesItOverFromAKilledOne) {
  const Jobs jobs;
  const pid_t killed = start([&] {
    Job endless = jobs.job("a", {}, std::chrono::hours(1));
    jobs.run({endless});
  });
  while (jobs.log().empty()) std::this_thread::sleep_for(milliseconds(2));
  const pid_t heir = start([&] { jobs.run({jobs.job("a")}); });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_THAT(jobs.log(), ElementsAre("a"));  // it waits
  ::kill(killed, SIGKILL);
  (void)status_of(killed);
  EXPECT_EQ(status_of(heir), 0);
  EXPECT_THAT(jobs.log(), ElementsAre("a", "a"));
}

}  // namespace
}  // namespace unlearn::tool::experiments
