// SPDX-License-Identifier: Apache-2.0
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/io/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <limits>
#include <locale>
#include <ostream>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "file_size_limit.hpp"
#include "mem/toy_run.hpp"
#include "message_of.hpp"
#include "numpy.hpp"
#include "observers/events.hpp"
#include "temporary_directory.hpp"
#include "unlearn/checkpoint/detail/directory.hpp"
#include "unlearn/checkpoint/detail/manifest.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/noise/memory_noise_store.hpp"

namespace unlearn {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::AllOf;
using testing::at_every_batch;
using ::testing::Contains;
using ::testing::EndsWith;
using testing::FrozenModel;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Not;
using testing::Rng;
using ::testing::StartsWith;
using testing::ToyModel;
using testing::ToyRun;
using ::testing::UnorderedElementsAre;

static_assert(testing::RunObserver<Checkpoint<>>);
static_assert(SavableGenerator<std::mt19937> && SavableGenerator<std::minstd_rand>);
static_assert(!SavableGenerator<SplitMix64>);

constexpr CheckpointOptions at_the_end{.every = hours(1'000'000)};

/// A directory with the noise of a run and, under `run`, its checkpoint.
class Checkpoints : public ::testing::Test {
 protected:
  Checkpoint<> checkpoint(const CheckpointOptions& options = at_every_batch) const {
    return checkpoint_to(run_, options);
  }

  /// Runs `batches` batches from the beginning. The last one writes a checkpoint.
  template <class Toy = ToyRun<>>
  std::string run_for(int batches) const {
    Toy run(directory_.path());
    auto observer = checkpoint();
    run.begin(observer);
    for (int i = 0; i < batches; ++i) run.batch(observer);
    return run.everything();
  }

  template <class Toy = ToyRun<>>
  std::string restored() const {
    Toy run(directory_.path());
    auto observer = checkpoint();
    EXPECT_TRUE(run.restore(observer));
    return run.everything();
  }

  /// The message with which `Toy` refuses to be restored; `Toy` must be unchanged.
  template <class Toy = ToyRun<>>
  std::string refusal(const std::function<void(Toy&)>& change = [](Toy&) {}) const {
    Toy run(directory_.path());
    change(run);
    const std::string before = run.everything();
    auto observer = checkpoint();
    const std::string message = message_of<FileError>([&] { (void)run.restore(observer); });
    EXPECT_EQ(run.everything(), before);
    return message;
  }

  /// The file of a part, of any generation.
  std::string part(const std::string& kind) const {
    for (const std::string& name : testing::names_in(run_)) {
      if (name.starts_with("state-") && name.ends_with("." + kind)) return run_ + "/" + name;
    }
    ADD_FAILURE() << "no " << kind;
    return {};
  }

  testing::TemporaryDirectory directory_;
  std::string run_ = directory_ / "run";
};

TEST_F(Checkpoints, BringBackEverything) {
  const std::string before = run_for(16);
  EXPECT_EQ(restored(), before);
}

TEST_F(Checkpoints, BringBackEverythingOfARunInMemory) {
  using Toy = ToyRun<MemoryNoiseStore<float>>;
  const std::string before = run_for<Toy>(16);
  EXPECT_EQ(restored<Toy>(), before);
}

TEST_F(Checkpoints, AreNotThereAtFirst) {
  ToyRun<> run(directory_.path());
  const std::string before = run.everything();
  auto observer = checkpoint();
  EXPECT_FALSE(run.restore(observer));
  EXPECT_EQ(run.everything(), before);
  EXPECT_FALSE(std::filesystem::exists(run_)) << "made when there is something to put there";
  run.begin(observer);
  EXPECT_TRUE(std::filesystem::exists(run_));
}

TEST_F(Checkpoints, OfANoiseFileThatWasNeverPendingNeedNoJournal) {
  const std::string before = run_for(2);
  EXPECT_THAT(
      testing::names_in(run_),
      UnorderedElementsAre("state", "state-2.model", "state-1.triggers.npy", "triggers.npy"));
  EXPECT_EQ(restored(), before);
}

TEST_F(Checkpoints, HoldTheLatestOfEachPartAndNothingElse) {
  (void)run_for(9);
  EXPECT_THAT(testing::names_in(run_),
              UnorderedElementsAre("state", "state-3.model", "state-6.triggers.npy",
                                   "state-9.journal", "triggers.npy"));
}

TEST_F(Checkpoints, OpenInNumPy) {
  ToyRun<MemoryNoiseStore<>> run(directory_.path());
  auto observer = checkpoint();
  run.finish(observer);
  std::string expected;
  for (const Token token : run.state.triggers.view().flat())
    expected += std::to_string(token) + " ";
  for (const std::string& triggers : {part("triggers.npy"), run_ + "/triggers.npy"}) {
    EXPECT_EQ(testing::numpy("a = np.load('" + triggers +
                             "'); print(a.dtype, a.shape, *a.ravel(), end=' ')"),
              "int32 (5, 2) " + expected);
  }
  expected.clear();
  for (const int element : run.state.noise.view().flat()) expected += std::to_string(element) + " ";
  EXPECT_EQ(testing::numpy("a = np.load('" + part("noise.npy") +
                           "'); print(a.dtype, a.shape, *a.ravel(), end=' ')"),
            "int8 (5, 4) " + expected);
}

TEST_F(Checkpoints, ShowTheTriggersOfTheLastOneOnly) {
  (void)run_for(6);
  EXPECT_EQ(testing::read_file(run_ + "/triggers.npy"), testing::read_file(part("triggers.npy")));
}

TEST_F(Checkpoints, ShowTheTriggersAgainWhenTheirCopyWasLost) {
  (void)run_for(6);
  std::filesystem::remove(run_ + "/triggers.npy");
  ToyRun<> run(directory_.path());
  auto observer = checkpoint();
  EXPECT_TRUE(run.restore(observer));
  run.batch(observer);
  EXPECT_EQ(testing::read_file(run_ + "/triggers.npy"), testing::read_file(part("triggers.npy")));
}

TEST_F(Checkpoints, KeepWhatIsNotTheirs) {
  std::filesystem::create_directory(run_);
  const std::vector<std::string> others{"state-of-the-art.npy", "notes", "state-", "stat", "model"};
  for (const std::string& name : others) testing::write_file(run_ + "/" + name, "precious");
  (void)run_for(9);
  for (const std::string& name : others) {
    EXPECT_EQ(testing::read_file(run_ + "/" + name), "precious") << name;
  }
}

TEST_F(Checkpoints, ClearAwayWhatAnInterruptedOneLeft) {
  const std::string before = run_for(4);
  testing::write_file(run_ + "/state-5.model", "half");
  testing::write_file(run_ + "/state-5.model.tmp", "half");
  EXPECT_EQ(restored(), before);
  EXPECT_THAT(testing::names_in(run_), Not(Contains(StartsWith("state-5"))));
}

TEST_F(Checkpoints, SaveTheModelOnlyAfterOptimiserSteps) {
  ToyRun<> run(directory_.path());
  auto observer = checkpoint();
  run.begin(observer);
  for (int i = 0; i < 3; ++i) run.batch(observer);
  const std::string model = part("model");
  const auto written = std::filesystem::last_write_time(model);
  for (int i = 0; i < 6; ++i) run.batch(observer);
  EXPECT_EQ(part("model"), model);
  EXPECT_EQ(std::filesystem::last_write_time(model), written);
  run.batch(observer);
  EXPECT_NE(part("model"), model);
}

TEST_F(Checkpoints, SaveAnotherModelOfASecondRun) {
  ToyRun<> first(directory_.path());
  auto observer = checkpoint(at_the_end);
  first.finish(observer);
  ToyRun<> second(directory_.path());
  second.model.train_step(99);
  second.finish(observer);
  EXPECT_EQ(second.state.progress.training.steps, first.state.progress.training.steps);
  ToyRun<> run(directory_.path());
  {
    auto old = std::move(observer);
  }
  auto reader = checkpoint();
  EXPECT_TRUE(run.restore(reader));
  EXPECT_EQ(run.model, second.model);
}

TEST_F(Checkpoints, AreWrittenAtTheEnd) {
  ToyRun<> run(directory_.path());
  {
    auto observer = checkpoint(at_the_end);
    run.begin(observer);
    while (run.state.progress.round < ToyRun<>::rounds) {
      EXPECT_FALSE(std::filesystem::exists(run_ + "/state"));
      run.batch(observer);
    }
  }
  EXPECT_EQ(restored(), run.everything());
}

// Nothing was restored, and an exception ends the run before its first checkpoint.
TEST_F(Checkpoints, HoldTheNoiseBackFromTheFirstSafePointOn) {
  std::string before;
  {
    ToyRun<> run(directory_.path());
    before = testing::read_file(directory_ / "noise.npy");
    auto observer = checkpoint(at_the_end);
    run.begin(observer);
    for (int i = 0; i < 9; ++i) run.batch(observer);
    EXPECT_GT(run.state.noise.pending_bytes(), 0U);
  }
  EXPECT_EQ(testing::read_file(directory_ / "noise.npy"), before);
}

TEST_F(Checkpoints, AreWrittenWhenTooMuchIsPending) {
  ToyRun<> run(directory_.path());
  auto observer = checkpoint({.every = hours(1'000'000), .pending_limit_bytes = 4});
  run.begin(observer);
  std::size_t most = 0;
  for (int i = 0; i < 9; ++i) {
    toy_batch(run.state, run.rng, run.model);
    const std::size_t pending = run.state.noise.pending_bytes();
    run.safe_point(observer);
    EXPECT_EQ(run.state.noise.pending_bytes(), pending > 4 ? 0 : pending);
    most = std::max(most, pending);
  }
  EXPECT_EQ(most, 8U) << "the test must meet the limit, and pass it";
}

/// A clock that the test sets.
struct HandClock {
  using duration = seconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<HandClock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static inline time_point time{};
  static time_point now() { return time; }
};

TEST_F(Checkpoints, AreWrittenWhenTheirTimeHasCome) {
  ToyRun<> run(directory_.path());
  Checkpoint<HandClock> observer(run_, {.every = seconds(30)});
  const auto writes = [&](int elapsed) {
    HandClock::time += seconds(elapsed);
    std::filesystem::remove(run_ + "/state");
    observer(ToyRun<>::Safe{run.state, run.rng, run.model, false});
    return std::filesystem::exists(run_ + "/state");
  };
  HandClock::time += seconds(100);
  observer(RunBegin{.first_round = 0, .rounds = 2});
  EXPECT_FALSE(writes(29));
  EXPECT_TRUE(writes(1));
  EXPECT_FALSE(writes(29));
  EXPECT_TRUE(writes(2));
  HandClock::time += seconds(100);
  observer(RunBegin{.first_round = 0, .rounds = 2});
  EXPECT_FALSE(writes(1));
}

TEST_F(Checkpoints, AreNotOverwrittenByARunThatDidNotRestoreThem) {
  const std::string before = run_for(5);
  {
    ToyRun<> run(directory_.path());
    auto observer = checkpoint();
    const std::string expected = "checkpoint directory '" + run_ +
                                 "': expected one without a checkpoint, or restore() before the "
                                 "run, got a checkpoint that would be overwritten";
    EXPECT_EQ(message_of<FileError>([&] { run.begin(observer); }), expected);
    EXPECT_EQ(message_of<FileError>([&] { run.batch(observer); }), expected);
  }
  EXPECT_EQ(restored(), before);
}

TEST_F(Checkpoints, AreOfOneRunAtATime) {
  ToyRun<> run(directory_.path());
  auto observer = checkpoint();
  run.begin(observer);
  run.batch(observer);
  const std::string expected = "checkpoint directory '" + run_ +
                               "': expected no other run in it, got a run that is still going on";
  auto other = checkpoint();
  EXPECT_EQ(message_of<FileError>([&] { (void)run.restore(other); }), expected);
  EXPECT_EQ(message_of<FileError>([&] { run.begin(other); }), expected);
}

TEST_F(Checkpoints, NeedADirectoryThatCanBeMade) {
  ToyRun<> run(directory_.path());
  auto observer = checkpoint_to("/nowhere/run");
  EXPECT_FALSE(run.restore(observer));
  EXPECT_EQ(message_of<FileError>([&] { run.begin(observer); }),
            "file '/nowhere/run': expected to make this directory, got No such file or directory");
}

TEST_F(Checkpoints, SurviveAFullDisk) {
  ToyRun<> run(directory_.path());
  auto observer = checkpoint();
  run.begin(observer);
  for (int i = 0; i < 9; ++i) run.batch(observer);
  const std::string before = run.everything();
  {
    const testing::FileSizeLimit limit(100);
    EXPECT_THAT(message_of<FileError>([&] { run.batch(observer); }),
                AllOf(StartsWith("file '" + run_ + "/state-10.model.tmp': expected to write "),
                      EndsWith("got File too large")));
  }
  {
    auto gone = std::move(observer);
  }
  EXPECT_EQ(restored(), before);
}

// --- Damage --------------------------------------------------------------------------------------

TEST_F(Checkpoints, AreRefusedWhenTheirStateIsCutShort) {
  const std::string before = run_for(16);
  const std::string state = testing::read_file(run_ + "/state");
  for (std::size_t size = 0; size < state.size(); ++size) {
    testing::write_file(run_ + "/state", state.substr(0, size));
    ASSERT_THAT(refusal(), HasSubstr("file '" + run_ + "/state', ")) << size;
  }
  testing::write_file(run_ + "/state", state + "\n");
  EXPECT_THAT(refusal(), HasSubstr("state', last line: expected checksum "));
  testing::write_file(run_ + "/state", state);
  EXPECT_EQ(restored(), before);
}

TEST_F(Checkpoints, AreRefusedWhenABitOfTheirStateIsWrong) {
  (void)run_for(16);
  const std::string state = testing::read_file(run_ + "/state");
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::string damaged = state;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    testing::write_file(run_ + "/state", damaged);
    ASSERT_THAT(refusal(), HasSubstr("file '" + run_ + "/state', ")) << i;
  }
}

/// A damaged or missing part of a run whose noise is in memory or in a file.
void refuse_damaged_part(const std::string& path, const std::function<std::string()>& refusal) {
  const std::string whole = testing::read_file(path);
  const std::string named = "file '" + path + "'";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    testing::write_file(path, whole.substr(0, size));
    ASSERT_THAT(refusal(), HasSubstr(named)) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    testing::write_file(path, damaged);
    ASSERT_THAT(refusal(), HasSubstr(named)) << i;
  }
  std::filesystem::remove(path);
  EXPECT_EQ(refusal(), named + ": expected to open it, got No such file or directory");
  testing::write_file(path, whole);
}

TEST_F(Checkpoints, AreRefusedWhenAPartIsDamagedOrMissing) {
  const std::string before = run_for(17);
  for (const char* kind : {"model", "triggers.npy", "journal"}) {
    refuse_damaged_part(part(kind), [&] { return refusal(); });
  }
  EXPECT_EQ(restored(), before);
}

TEST_F(Checkpoints, AreRefusedWhenTheirNoiseIsDamagedOrMissing) {
  using Toy = ToyRun<MemoryNoiseStore<>>;
  const std::string before = run_for<Toy>(17);
  refuse_damaged_part(part("noise.npy"), [&] { return refusal<Toy>(); });
  EXPECT_EQ(restored<Toy>(), before);
}

TEST_F(Checkpoints, AreRefusedWithAJournalOfAnotherMoment) {
  (void)run_for(8);
  const std::string older = testing::read_file(part("journal"));
  std::filesystem::remove_all(run_);
  std::filesystem::remove(directory_ / "noise.npy");
  (void)run_for(9);
  testing::write_file(part("journal"), older);
  EXPECT_THAT(refusal(), HasSubstr(".journal', checksum: expected "));
}

TEST_F(Checkpoints, AreRefusedWithTheNoiseOfAnotherRun) {
  (void)run_for(18);
  std::filesystem::remove(directory_ / "noise.npy");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("state', checksum of some of the noise: expected "),
                               EndsWith("so the noise is another run's")));
  for (const char element : testing::read_file(directory_ / "noise.npy").substr(128)) {
    ASSERT_EQ(element, 0) << "the other run's noise must stay as it is";
  }
}

// --- Other runs, other versions ---------------------------------------------------------------

TEST_F(Checkpoints, AreRefusedByARunOfAnotherShape) {
  (void)run_for(16);
  const auto refused = [&](const std::function<void(ToyRun<>&)>& change) {
    return refusal<ToyRun<>>(change);
  };
  const std::string state = "file '" + run_ + "/state', ";
  EXPECT_EQ(
      refused([](auto& run) { run.state.triggers = TriggerTable(6, 2, std::vector<Token>(12)); }),
      state + "trigger groups: expected 6, got 5");
  EXPECT_EQ(
      refused([](auto& run) { run.state.triggers = TriggerTable(5, 3, std::vector<Token>(15)); }),
      state + "length of a trigger: expected 3, got 2");
  EXPECT_EQ(refused([](auto& run) { run.state.scope.triggers = GroupMap::per_row(9); }),
            state + "rows: expected 9, got 5");
  EXPECT_THAT(refused([](auto& run) { run.state.scope.triggers = GroupMap::universal(5); }),
              HasSubstr(state + "checksum of the trigger scope: expected "));
  EXPECT_THAT(refused([](auto& run) {
                run.state.scope.noise = GroupMap(std::vector<Index>{0, 1, 2, 4, 3}, 5);
              }),
              HasSubstr(state + "checksum of the noise scope: expected "));
}

template <std::size_t other_groups, std::size_t other_elements>
struct OtherNoise : MemoryNoiseStore<> {
  OtherNoise(std::size_t, std::size_t) : MemoryNoiseStore<>(other_groups, other_elements) {}
};

TEST_F(Checkpoints, AreRefusedByARunWithOtherNoise) {
  (void)run_for<ToyRun<MemoryNoiseStore<>>>(16);
  const std::string state = "file '" + run_ + "/state', ";
  EXPECT_EQ((refusal<ToyRun<OtherNoise<6, 4>>>()), state + "noise groups: expected 6, got 5");
  EXPECT_EQ((refusal<ToyRun<OtherNoise<5, 3>>>()),
            state + "elements of a noise: expected 3, got 4");
  EXPECT_EQ(refusal<ToyRun<MemoryNoiseStore<float>>>(),
            state + "dtype of the noise: expected <f4, got |i1");
  EXPECT_EQ(refusal<ToyRun<MappedNoiseStore<>>>(),
            state + "storage of the noise: expected journal, got whole");
}

TEST_F(Checkpoints, AreRefusedByARunWithAnotherModel) {
  (void)run_for(16);
  EXPECT_THAT((refusal<ToyRun<MappedNoiseStore<>, FrozenModel>>()),
              HasSubstr("state', model: expected none, as this one has no load, got a saved one"));
  std::filesystem::remove_all(run_);
  (void)run_for<ToyRun<MappedNoiseStore<>, FrozenModel>>(16);
  EXPECT_THAT(refusal(), HasSubstr("state', model: expected a saved one, got none"));
}

/// Contents that only a forger would write, with a correct checksum.
class ForgedState : public Checkpoints {
 protected:
  void SetUp() override { (void)run_for(16); }

  std::string refusal_of(const std::string& from, const std::string& to) const {
    std::string body = testing::read_file(run_ + "/state");
    body.resize(body.rfind("checksum "));
    const std::size_t at = body.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    body.replace(at, from.size(), to);
    testing::write_file(run_ + "/state.forged", body + detail::manifest_end(body) + "\n");
    return message_of<FileError>([&] {
      (void)detail::decode_manifest(testing::read_file(run_ + "/state.forged"), "state");
    });
  }
};

TEST_F(ForgedState, OfAnotherVersionIsRefusedByName) {
  EXPECT_EQ(refusal_of("unlearn checkpoint 2\n", "unlearn checkpoint 3\n"),
            "file 'state', first line: expected unlearn checkpoint 2, got unlearn checkpoint 3");
}

TEST_F(ForgedState, IsRefusedLineByLine) {
  EXPECT_EQ(refusal_of("\nround 1\n", "\nround one\n"),
            "file 'state', line 'round': expected 1 value(s), got round one");
  EXPECT_EQ(refusal_of("\nround 1\n", "\nround 1 1\n"),
            "file 'state', line 'round': expected 1 value(s), got round 1 1");
  EXPECT_EQ(refusal_of("\nround 1\n", "\nround\n"),
            "file 'state', line 'round': expected 1 value(s), got round");
  EXPECT_EQ(refusal_of("\nround 1\n", "\nturn 1\n"),
            "file 'state', line 'round': expected 1 value(s), got turn 1");
  EXPECT_EQ(refusal_of("\nround 1\n", "\nround 4294967296\n"),
            "file 'state', line 'round': expected 1 value(s), got round 4294967296");
  EXPECT_EQ(refusal_of("\nstage noise\n", "\nstage\n"),
            "file 'state', line 'stage': expected 1 value(s), got stage");
  EXPECT_EQ(refusal_of("\nnoise_shape |i1 ", "\nnoise_shape  "),
            "file 'state', line 'noise_shape': expected 4 value(s), got noise_shape  journal 5 4");
}

TEST_F(ForgedState, TakesNoMemoryForWhatIsNotThere) {
  EXPECT_THAT(refusal_of("\ntrace 1\n", "\ntrace 18446744073709551615\n"),
              HasSubstr("line 'losses_of_round': expected 1 value(s), got pass"));
  EXPECT_THAT(refusal_of("\nstage_losses 3\n", "\nstage_losses 18446744073709551615\n"),
              HasSubstr("line 'stage_loss': expected 2 value(s), got "));
  const std::string state = testing::read_file(run_ + "/state");
  const std::size_t at = state.find("\ngenerator ");
  const std::string line = state.substr(at, state.find('\n', at + 1) + 1 - at);
  EXPECT_THAT(refusal_of(line, "\ngenerator 18446744073709551615\n"),
              HasSubstr("generator: expected as many bytes as its line says, "
                        "18446744073709551615, got "));
  EXPECT_THAT(refusal_of(line, "\ngenerator 3\n"),
              HasSubstr("generator: expected a new line behind it, got more bytes"));
}

TEST_F(ForgedState, HasNothingBehindItsEnd) {
  const std::string state = testing::read_file(run_ + "/state");
  const std::string tail = state.substr(0, state.rfind("checksum ")).substr(state.size() - 100);
  EXPECT_THAT(refusal_of(tail, tail + "more\n"), HasSubstr("end: expected nothing more, got more"));
}

TEST_F(ForgedState, CannotNameTriggersOfAnotherShape) {
  detail::CheckpointDirectory directory(run_);
  detail::CheckpointManifest manifest = directory.read_state();
  const std::string file = npy_header<Token>(2, 5) + std::string(40, '\0');
  manifest.triggers.checksum = checksum_of(std::as_bytes(std::span(file)));
  testing::write_file(part("triggers.npy"), file);
  directory.write_state(manifest);
  EXPECT_THAT(refusal(), HasSubstr("triggers.npy', shape: expected 5, got 2"));
}

// --- Models and generators ----------------------------------------------------------------------

struct NeverSaved {
  void train_step(std::uint64_t) {}
  std::vector<std::uint64_t> weights = std::vector<std::uint64_t>(20, 1);
};

TEST_F(Checkpoints, NeedAModelThatCanBeSavedOnceItIsTrained) {
  ToyRun<MappedNoiseStore<>, NeverSaved> run(directory_.path());
  auto observer = checkpoint();
  run.begin(observer);
  EXPECT_EQ(message_of<InvalidArgument>([&] { run.batch(observer); }),
            "optimiser steps of a model without save and load: expected 0, got 1");
}

struct FailsToSave : ToyModel {
  void save(std::ostream& out) const { out.setstate(std::ios::failbit); }
};

TEST_F(Checkpoints, NoticeAModelThatCouldNotBeSaved) {
  ToyRun<MappedNoiseStore<>, FailsToSave> run(directory_.path());
  auto observer = checkpoint();
  run.begin(observer);
  EXPECT_THAT(message_of<FileError>([&] { run.batch(observer); }),
              HasSubstr("state-1.model', model: expected its save to succeed"));
}

struct FailsToLoad : ToyModel {
  void load(std::istream& in) {
    for (std::uint64_t& weight : weights) in >> weight;
    std::uint64_t one_too_many = 0;
    in >> one_too_many;
  }
};

TEST_F(Checkpoints, NoticeAModelThatCouldNotBeLoaded) {
  (void)run_for(17);
  ToyRun<MappedNoiseStore<>, FailsToLoad> run(directory_.path());
  auto observer = checkpoint();
  EXPECT_THAT(message_of<FileError>([&] { (void)run.restore(observer); }),
              HasSubstr(".model', model: expected its load to succeed"));
  EXPECT_EQ(run.state.progress.training.steps, 0U);
  EXPECT_EQ(run.rng, Rng(17));
  EXPECT_EQ(run.state.noise.pending_bytes(), 0U);
}

struct ThrowsOnLoad : ToyModel {
  void load(std::istream&) { throw std::runtime_error("out of memory on the device"); }
};

TEST_F(Checkpoints, PassOnWhatAModelThrows) {
  (void)run_for(17);
  ToyRun<MappedNoiseStore<>, ThrowsOnLoad> run(directory_.path());
  auto observer = checkpoint();
  EXPECT_EQ(message_of<std::runtime_error>([&] { (void)run.restore(observer); }),
            "out of memory on the device");
  EXPECT_EQ(run.state.noise.pending_bytes(), 0U);
}

/// Reads its last byte first, like archives whose directory is at the end.
struct ReadsBackwards : ToyModel {
  void save(std::ostream& out) const {
    ToyModel::save(out);
    out << '#';
  }
  void load(std::istream& in) {
    in.seekg(-1, std::ios::end);
    if (in.get() != '#') throw std::runtime_error("not at the end");
    in.seekg(0);
    ToyModel::load(in);
  }
};

TEST_F(Checkpoints, LetAModelReadInAnyOrder) {
  using Toy = ToyRun<MappedNoiseStore<>, ReadsBackwards>;
  const std::string before = run_for<Toy>(16);
  EXPECT_EQ(restored<Toy>(), before);
}

/// A generator with its own binary format.
struct BinaryGenerator {
  using result_type = std::uint64_t;
  std::uint64_t state = 10;  // saved as a newline
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return state = state * 6364136223846793005U + 10; }
  void save(std::ostream& out) const {
    out.write(reinterpret_cast<const char*>(&state), sizeof(state));
  }
  void load(std::istream& in) { in.read(reinterpret_cast<char*>(&state), sizeof(state)); }
};
static_assert(SavableGenerator<BinaryGenerator>);

template <class Generator>
class Generators : public Checkpoints {};
using AllGenerators = ::testing::Types<std::mt19937, std::mt19937_64, std::minstd_rand,
                                       std::ranlux48, std::knuth_b, BinaryGenerator>;
TYPED_TEST_SUITE(Generators, AllGenerators);

TYPED_TEST(Generators, GoOnWhereTheyStood) {
  ToyRun<> run(this->directory_.path());
  TypeParam rng;
  for (int i = 0; i < 1000; ++i) (void)rng();
  {
    auto observer = this->checkpoint();
    observer(SafePoint<RunState<MappedNoiseStore<>>, TypeParam, ToyModel>{run.state, rng, run.model,
                                                                          true});
  }
  TypeParam restored;
  auto observer = this->checkpoint();
  EXPECT_TRUE(observer.restore(run.state, restored, run.model));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(restored(), rng());
}

TEST_F(Checkpoints, AreRefusedByARunWithAnotherGenerator) {
  (void)run_for(3);
  ToyRun<> run(directory_.path());
  auto observer = checkpoint();
  const auto refused = [&](auto rng) {
    const auto before = rng;
    EXPECT_THAT(message_of<FileError>([&] { (void)observer.restore(run.state, rng, run.model); }),
                HasSubstr("state', generator: expected the state of this run's type of generator"));
    EXPECT_EQ(rng, before);
  };
  refused(std::mt19937());
  refused(std::minstd_rand());
  refused(std::ranlux48());
}

struct GroupsDigits : std::numpunct<char> {
  char do_thousands_sep() const override { return ','; }
  char do_decimal_point() const override { return ';'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST_F(Checkpoints, DoNotDependOnTheLocale) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new GroupsDigits));
  (void)run_for(16);
  const std::string state = testing::read_file(run_ + "/state");
  const std::string model = testing::read_file(part("model"));
  std::locale::global(before);
  EXPECT_THAT(state, Not(HasSubstr(",")));
  EXPECT_THAT(model, Not(HasSubstr(",")));
  ToyRun<> run(directory_.path());
  const std::locale again = std::locale::global(std::locale(std::locale(), new GroupsDigits));
  {
    auto observer = checkpoint();
    EXPECT_TRUE(run.restore(observer));
  }
  std::locale::global(again);
  EXPECT_EQ(run.state.progress.training.steps, 6U);
}

/// A user's store, with only what the concept requires.
class SparseNoise {
 public:
  using value_type = float;
  SparseNoise(std::size_t groups, std::size_t elements) : noise_(groups, elements) {}
  std::size_t groups() const { return noise_.groups(); }
  std::size_t elements() const { return noise_.elements(); }
  void load(std::span<const Index> groups, View<float, 2> out) const { noise_.load(groups, out); }
  void store(std::span<const Index> groups, View<const float, 2> noise) {
    noise_.store(groups, noise);
  }

 private:
  MemoryNoiseStore<float> noise_;
};

TEST_F(Checkpoints, TakeAnyNoiseStore) {
  using Toy = ToyRun<SparseNoise>;
  const std::string before = run_for<Toy>(16);
  EXPECT_EQ(restored<Toy>(), before);
}

TEST_F(Checkpoints, OfARunWithoutTriggersHaveAnEmptyTable) {
  ToyRun<MemoryNoiseStore<>> run(directory_.path());
  run.state.triggers = TriggerTable(5, {});
  {
    auto observer = checkpoint();
    run.safe_point(observer);
  }
  auto observer = checkpoint();
  EXPECT_TRUE(run.restore(observer));
  EXPECT_EQ(run.state.triggers.length(), 0U);
}

// --- Noise on a device ---------------------------------------------------------------------------

/// Noise that differs from its host copy until it is written back.
template <class Home>
class AwayNoise : public MemoryNoiseStore<std::int8_t> {
 public:
  explicit AwayNoise(Home& home) : MemoryNoiseStore(home.groups(), home.elements()), home_(&home) {
    reload();
  }

  void store(std::span<const Index> groups, View<const std::int8_t, 2> noise) {
    MemoryNoiseStore::store(groups, noise);
    away_.insert(groups.begin(), groups.end());
  }
  Home& host() { return *home_; }
  const Home& host() const { return *home_; }
  void write_back() {
    for (const Index group : away_) home_->store(std::span(&group, 1), view().slice(group, 1));
    away_.clear();
  }
  [[nodiscard]] std::size_t dirty_bytes() const { return away_.size() * elements(); }
  void reload() {
    std::vector<std::int8_t> row(elements());
    for (Index group = 0; group < groups(); ++group) {
      const std::span<const Index> one(&group, 1);
      home_->load(one, View<std::int8_t, 2>(row, {1, row.size()}));
      MemoryNoiseStore::store(one, View<const std::int8_t, 2>(row, {1, row.size()}));
    }
    away_.clear();
  }

 private:
  Home* home_;
  std::set<Index> away_;
};
static_assert(HostBackedNoiseStore<AwayNoise<MemoryNoiseStore<>>>);

template <class Home>
class CheckpointsOfADevice : public Checkpoints {
 protected:
  /// A run like ToyRun, with noise that must be written back.
  struct Away {
    explicit Away(const std::string& directory)
        : home(testing::toy_noise<Home>(directory)), run(AwayNoise<Home>(home)) {}
    Home home;
    struct Run {
      explicit Run(AwayNoise<Home> noise) : state(testing::toy_state(std::move(noise))) {}
      RunState<AwayNoise<Home>> state;
      Rng rng{17};
      ToyModel model{};
    } run;

    void batches(Checkpoint<>& checkpoint, int count) {
      checkpoint(RunBegin{.first_round = run.state.progress.round, .rounds = 9});
      for (int i = 0; i < count; ++i) {
        testing::toy_batch(run.state, run.rng, run.model);
        checkpoint(SafePoint<RunState<AwayNoise<Home>>, Rng, ToyModel>{run.state, run.rng,
                                                                       run.model, i + 1 == count});
      }
    }
    [[nodiscard]] std::vector<std::int8_t> noise() const {
      const auto all = run.state.noise.view().flat();
      return {all.begin(), all.end()};
    }
  };
};
using Homes = ::testing::Types<MemoryNoiseStore<>, MappedNoiseStore<>>;
TYPED_TEST_SUITE(CheckpointsOfADevice, Homes);

TYPED_TEST(CheckpointsOfADevice, BringItsNoiseHomeAndBack) {
  using Run = typename TestFixture::Away;
  std::vector<std::int8_t> expected;
  {
    Run away(this->directory_.path());
    auto observer = this->checkpoint(at_the_end);
    away.batches(observer, 16);
    expected = away.noise();
    EXPECT_THAT(expected, Contains(Not(0)));
    EXPECT_EQ(away.run.state.noise.dirty_bytes(), 0U);
  }
  Run away(this->directory_.path());
  auto observer = this->checkpoint(at_the_end);
  ASSERT_TRUE(observer.restore(away.run.state, away.run.rng, away.run.model));
  EXPECT_EQ(away.noise(), expected);
}

TYPED_TEST(CheckpointsOfADevice, AreWrittenWhenTooMuchIsAway) {
  typename TestFixture::Away away(this->directory_.path());
  auto observer = this->checkpoint({.every = hours(1'000'000), .pending_limit_bytes = 0});
  away.batches(observer, 1);  // an optimiser step
  (void)std::filesystem::remove(this->run_ + "/state");
  const std::vector<std::int8_t> row(4, 1);
  const Index group = 2;
  away.run.state.noise.store(std::span(&group, 1), View<const std::int8_t, 2>(row, {1, 4}));
  observer(SafePoint<RunState<AwayNoise<TypeParam>>, Rng, ToyModel>{away.run.state, away.run.rng,
                                                                    away.run.model, false});
  // Only noise with its own journal stays in memory until a checkpoint.
  EXPECT_EQ(std::filesystem::exists(this->run_ + "/state"), JournaledNoiseStore<TypeParam>);
}

}  // namespace
}  // namespace unlearn
