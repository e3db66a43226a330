// SPDX-License-Identifier: Apache-2.0
//
// A run is killed before or during each of its file operations, or one of them fails. A run that
// resumes from there must have the same result. This program replaces the system's functions for
// that, so that the library needs no hooks for its tests.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mem/toy_run.hpp"
#include "temporary_directory.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace {

/// What happens at file operation number `at`, counted from 1. The other operations succeed.
struct Fault {
  enum class Kind { none, kill, kill_halfway, fail } kind = Kind::none;
  std::size_t at = 0;
};

struct Operation {
  std::string name;
  std::string path;
};

bool watched = false;
Fault fault;
std::vector<Operation> operations;

/// Records the operation.
/// @returns whether it must fail
bool happens(const char* name, std::string path) {
  if (!watched) return false;
  operations.push_back({name, std::move(path)});
  if (operations.size() != fault.at) return false;
  if (fault.kind == Fault::Kind::kill) ::kill(::getpid(), SIGKILL);
  if (fault.kind == Fault::Kind::kill_halfway && operations.back().name != "write") {
    ::kill(::getpid(), SIGKILL);
  }
  errno = ENOSPC;
  return fault.kind == Fault::Kind::fail;
}

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const auto size = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, std::size_t size) {
  if (happens("write", watched ? path_of(fd) : "")) return -1;
  if (watched && fault.kind == Fault::Kind::kill_halfway && operations.size() == fault.at) {
    ::syscall(SYS_write, fd, bytes, size / 2);
    ::kill(::getpid(), SIGKILL);
  }
  return ::syscall(SYS_write, fd, bytes, size);
}

// Syncing is recorded but not done, since no test cuts the power.
int fsync(int fd) {
  if (happens("fsync", watched ? path_of(fd) : "")) return -1;
  return 0;
}

int msync(void* /*address*/, std::size_t /*size*/, int /*flags*/) {
  if (happens("msync", "")) return -1;
  return 0;
}

int close(int fd) {
  const bool written = watched && (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
  const bool fails = written && happens("close", path_of(fd));
  const long result = ::syscall(SYS_close, fd);
  if (fails) errno = EIO;
  return fails ? -1 : static_cast<int>(result);
}

int rename(const char* from, const char* to) noexcept {
  if (happens("rename", to)) return -1;
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

int unlink(const char* path) noexcept {
  if (happens("unlink", path)) return -1;
  return static_cast<int>(::syscall(SYS_unlink, path));
}

}  // extern "C"

namespace unlearn {
namespace {

using testing::at_every_batch;
using testing::ToyModel;
using testing::ToyRun;

/// A folder in memory, if the system has one, so that the test does not wait for disks.
std::filesystem::path in_memory() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
}

/// Injects a fault while it lives.
class Watch {
 public:
  explicit Watch(Fault planned = {}) {
    operations.clear();
    fault = planned;
    watched = true;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { watched = false; }
};

template <class Toy>
class Interruptions : public ::testing::Test {
 protected:
  /// Runs to the end, from the last checkpoint or from the beginning.
  static void go_on(const std::string& directory, Fault planned = {}) {
    Toy run(directory);
    auto checkpoint = checkpoint_to(directory + "/run", at_every_batch);
    const Watch watch(planned);
    run.restore(checkpoint);
    run.finish(checkpoint);
  }

  /// Runs from the beginning to the end, with a new attempt after each failure.
  static void go_on_regardless(const std::string& directory, Fault planned) {
    Toy run(directory);
    auto checkpoint = checkpoint_to(directory + "/run", at_every_batch);
    const Watch watch(planned);
    const auto attempt_twice = [](const auto& attempt) {
      try {
        attempt();
      } catch (const FileError&) {
        attempt();
      }
    };
    attempt_twice([&] { run.begin(checkpoint); });
    while (run.state.progress.round < Toy::rounds) {
      toy_batch(run.state, run.rng, run.model);
      attempt_twice([&] { run.safe_point(checkpoint); });
    }
  }

  /// Runs `go_on` in a new process.
  /// @returns whether it reached the end
  static bool comes_to_the_end(const std::string& directory, Fault planned) {
    const pid_t child = ::fork();
    if (child == 0) {
      go_on(directory, planned);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
    return WIFEXITED(status);
  }

  /// All results of a complete run.
  static std::string outcome(const std::string& directory) {
    Toy run(directory);
    auto checkpoint = checkpoint_to(directory + "/run");
    EXPECT_TRUE(run.restore(checkpoint));
    EXPECT_EQ(run.state.progress.round, Toy::rounds);
    const std::string noise = directory + "/noise.npy";
    return run.everything() + testing::read_file(directory + "/run/triggers.npy") +
           (std::filesystem::exists(noise) ? testing::read_file(noise) : "");
  }

  /// The file operations of a run without interruption, and its results.
  void SetUp() override {
    const testing::TemporaryDirectory directory(in_memory());
    go_on(directory.path());
    operations_ = operations;
    outcome_ = outcome(directory.path());
    ASSERT_GT(operations_.size(), 100U);
  }

  std::vector<Operation> operations_;
  std::string outcome_;
};

using Runs =
    ::testing::Types<ToyRun<MappedNoiseStore<std::int8_t>>, ToyRun<MemoryNoiseStore<std::int8_t>>,
                     ToyRun<MappedNoiseStore<float>, testing::FrozenModel>>;
TYPED_TEST_SUITE(Interruptions, Runs);

TYPED_TEST(Interruptions, AKilledRunComesToTheSameEnd) {
  for (const Fault::Kind kind : {Fault::Kind::kill, Fault::Kind::kill_halfway}) {
    for (std::size_t at = 1; at <= this->operations_.size(); ++at) {
      if (kind == Fault::Kind::kill_halfway && this->operations_[at - 1].name != "write") continue;
      const testing::TemporaryDirectory directory(in_memory());
      ASSERT_FALSE(this->comes_to_the_end(directory.path(), {kind, at})) << at;
      this->go_on(directory.path());
      ASSERT_EQ(this->outcome(directory.path()), this->outcome_) << "killed at operation " << at;
    }
  }
}

TYPED_TEST(Interruptions, ARunThatIsKilledAgainAndAgainComesToTheSameEnd) {
  for (std::size_t at = 40; at < 80; ++at) {
    const testing::TemporaryDirectory directory(in_memory());
    int deaths = 0;
    while (!this->comes_to_the_end(directory.path(), {Fault::Kind::kill_halfway, at})) ++deaths;
    ASSERT_GE(deaths, 2);
    ASSERT_EQ(this->outcome(directory.path()), this->outcome_) << "killed every " << at;
  }
}

TYPED_TEST(Interruptions, EveryFailedOperationIsAnErrorAndTheLastGoodCheckpointStands) {
  for (std::size_t at = 1; at <= this->operations_.size(); ++at) {
    const testing::TemporaryDirectory directory(in_memory());
    try {
      this->go_on(directory.path(), {Fault::Kind::fail, at});
      ADD_FAILURE() << "not noticed: " << operations[at - 1].name;
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), ::testing::StartsWith("file '" + directory.path()));
    }
    this->go_on(directory.path());
    ASSERT_EQ(this->outcome(directory.path()), this->outcome_) << "failed operation " << at;
  }
}

TYPED_TEST(Interruptions, AFailureIsNotTheEndOfTheRunThatMetIt) {
  for (std::size_t at = 1; at <= this->operations_.size(); ++at) {
    const testing::TemporaryDirectory directory(in_memory());
    this->go_on_regardless(directory.path(), {Fault::Kind::fail, at});
    ASSERT_EQ(this->outcome(directory.path()), this->outcome_) << "failed operation " << at;
  }
}

/// A power cut must not lose names. So a file is synced before it is renamed, and its directory is
/// synced afterwards. A file is removed only after its replacement is durable.
TYPED_TEST(Interruptions, EverythingIsDurableBeforeItCounts) {
  const testing::TemporaryDirectory directory(in_memory());
  this->go_on(directory.path());
  const std::string run = directory / "run";
  std::size_t renamed = 0;
  std::size_t last_flush = 0;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto& [name, path] = operations[i];
    if (name == "msync") last_flush = i;
    if (name == "rename") {
      ++renamed;
      ASSERT_GE(i, 3U);
      EXPECT_EQ(operations[i - 3].name, "write") << path;
      EXPECT_EQ(operations[i - 2].name, "fsync") << path;
      EXPECT_EQ(operations[i - 2].path, path + ".tmp");
      EXPECT_EQ(operations[i - 1].name, "close") << path;
      ASSERT_LT(i + 1, operations.size());
      EXPECT_EQ(operations[i + 1].name, "fsync") << path;
      EXPECT_EQ(operations[i + 1].path, run);
    }
    if (name == "unlink") {
      std::size_t state = i;
      while (operations[state].name != "rename" || operations[state].path != run + "/state")
        --state;
      for (std::size_t since = state + 1; since < i; ++since) {
        EXPECT_NE(operations[since].name, "write") << "before the removal of " << path;
      }
      if (path.ends_with(".journal")) {
        EXPECT_GT(last_flush, state) << "the noise must reach its file before its journal goes";
      }
    }
  }
  EXPECT_GT(renamed, 30U);
}

}  // namespace
}  // namespace unlearn
