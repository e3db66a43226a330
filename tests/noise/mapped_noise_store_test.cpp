// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/mapped_noise_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "numpy.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/npy.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

constexpr std::size_t header_size = 128;

template <class N>
void store(MappedNoiseStore<N>& noise, Index group, const std::vector<N>& row) {
  noise.store(std::span(&group, 1), View<const N, 2>(row, {1, row.size()}));
}

template <class N>
std::vector<N> load(const MappedNoiseStore<N>& noise, Index group) {
  std::vector<N> row(noise.elements());
  noise.load(std::span(&group, 1), View<N, 2>(row, {1, row.size()}));
  return row;
}

class MappedNoiseFile : public ::testing::Test {
 protected:
  MappedNoiseStore<> create() { return MappedNoiseStore<>::create(path_, 3, 2); }

  /// The elements in the file, group by group.
  std::vector<std::int8_t> in_file() const {
    const std::string file = testing::read_file(path_).substr(header_size);
    return {file.begin(), file.end()};
  }

  testing::TemporaryDirectory directory_;
  std::string path_ = directory_ / "noise.npy";
  std::string journal_ = directory_ / "journal";
};

TEST_F(MappedNoiseFile, IsOneThatNumPyOpens) {
  {
    auto noise = create();
    store(noise, 2, {-8, 127});
    noise.flush();
  }
  EXPECT_EQ(testing::numpy("a = np.load('" + path_ +
                           "', mmap_mode='r'); "
                           "print(a.dtype, a.shape, a.tolist(), a.offset % 64)"),
            "int8 (3, 2) [[0, 0], [0, 0], [-8, 127]] 0\n");
  {
    auto noise = MappedNoiseStore<float>::create(directory_ / "float.npy", 1, 2);
    store(noise, 0, {0.25F, -1.0F});
    noise.flush();
  }
  EXPECT_EQ(testing::numpy("a = np.load('" + directory_ / "float.npy" +
                           "'); print(a.dtype, a.shape, a.tolist())"),
            "float32 (1, 2) [[0.25, -1.0]]\n");
}

TEST_F(MappedNoiseFile, OpensWhatNumPyMade) {
  testing::numpy("np.save('" + path_ + "', np.array([[1, 2], [3, -4]], np.int8))");
  const auto noise = MappedNoiseStore<>::open(path_);
  EXPECT_EQ(noise.groups(), 2U);
  EXPECT_THAT(load(noise, 1), ElementsAre(3, -4));
}

TEST_F(MappedNoiseFile, HasAllItsSpaceFromTheStart) {
  const auto noise = MappedNoiseStore<>::create(path_, 1000, 1000);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 1'000'128);
  EXPECT_GE(status.st_blocks * 512, 1'000'128);
}

TEST_F(MappedNoiseFile, IsNotMadeWhereThereIsNoSpace) {
  // 4 EiB: too large for every file system.
  EXPECT_THAT(message_of<FileError>([&] {
                (void)MappedNoiseStore<>::create(path_, std::size_t{1} << 31U,
                                                 std::size_t{1} << 31U);
              }),
              HasSubstr("noise.npy.tmp': expected to reserve 4611686018427388032 bytes"));
  EXPECT_TRUE(testing::names_in(directory_.path()).empty());
}

TEST_F(MappedNoiseFile, RefusesAProductThatOverflows) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const auto& [groups, elements] :
       {std::pair{most, std::size_t{2}}, {most / 4, std::size_t{3}}, {most / 8, std::size_t{1}}}) {
    EXPECT_THAT(message_of<InvalidArgument>([&, g = groups, e = elements] {
                  (void)MappedNoiseStore<float>::create(path_, g, e);
                }),
                HasSubstr("bytes of noise: expected at most 9223372036854775807, got "));
  }
}

TEST_F(MappedNoiseFile, IsNotOverwritten) {
  testing::write_file(path_, "precious");
  EXPECT_EQ(message_of<FileError>([&] { (void)create(); }),
            "file '" + path_ + "': expected no file yet, got one that must not be overwritten");
  EXPECT_EQ(testing::read_file(path_), "precious");
}

TEST_F(MappedNoiseFile, IsRefusedWhenItIsNotWhole) {
  {
    auto noise = create();
  }
  const std::string whole = testing::read_file(path_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    testing::write_file(path_, whole.substr(0, size));
    EXPECT_THROW((void)MappedNoiseStore<>::open(path_), FileError) << size;
  }
  testing::write_file(path_, whole + '\0');
  EXPECT_THROW((void)MappedNoiseStore<>::open(path_), FileError);
  testing::write_file(path_, whole);
  EXPECT_THAT(message_of<FileError>([&] { (void)MappedNoiseStore<float>::open(path_); }),
              HasSubstr("dtype: expected <f4, got |i1"));
  EXPECT_EQ(MappedNoiseStore<>::open(path_).groups(), 3U);
}

TEST_F(MappedNoiseFile, DoesNotChangeBeforeAFlushOnceItIsHeld) {
  {
    auto noise = create();
    noise.hold();
    store(noise, 1, {5, 6});
    EXPECT_EQ(noise.pending_bytes(), 2U);
    EXPECT_THAT(load(noise, 1), ElementsAre(5, 6));
    EXPECT_THAT(in_file(), ElementsAre(0, 0, 0, 0, 0, 0));
    noise.flush();
    EXPECT_EQ(noise.pending_bytes(), 0U);
    EXPECT_THAT(in_file(), ElementsAre(0, 0, 5, 6, 0, 0));
    store(noise, 1, {7, 8});
  }
  EXPECT_THAT(in_file(), ElementsAre(0, 0, 5, 6, 0, 0));
}

TEST_F(MappedNoiseFile, GetsWhatIsPendingAtTheEndWhenNotHeld) {
  {
    auto first = create();
    store(first, 0, {1, 2});
    auto second = std::move(first);
    store(second, 2, {3, 4});
    EXPECT_THAT(in_file(), ElementsAre(0, 0, 0, 0, 0, 0));
  }
  EXPECT_THAT(in_file(), ElementsAre(1, 2, 0, 0, 3, 4));
}

TEST_F(MappedNoiseFile, BoundsItsMemoryWhenNotHeld) {
  constexpr std::size_t elements = MappedNoiseStore<>::write_back_bytes / 2;
  auto noise = MappedNoiseStore<>::create(path_, 3, elements);
  for (Index group = 0; group < 2; ++group) {
    store(noise, group, std::vector<std::int8_t>(elements, std::int8_t{1}));
  }
  EXPECT_EQ(noise.pending_bytes(), MappedNoiseStore<>::write_back_bytes);
  store(noise, 2, std::vector<std::int8_t>(elements, std::int8_t{2}));
  EXPECT_EQ(noise.pending_bytes(), 0U);
  EXPECT_EQ(load(noise, 2).back(), 2);
  noise.hold();
  for (Index group = 0; group < 3; ++group) {
    store(noise, group, std::vector<std::int8_t>(elements, std::int8_t{3}));
  }
  EXPECT_EQ(noise.pending_bytes(), 3 * elements);
}

/// The resident memory of mapped files, in kilobytes; nothing if the system does not report it.
std::optional<long> mapped_kilobytes_in_memory() {
  std::ifstream status("/proc/self/status");
  std::optional<long> sum;
  for (std::string line; std::getline(status, line);) {
    // A file in a memory file system counts as shared memory.
    for (const std::string_view field : {"RssFile:", "RssShmem:"}) {
      if (line.starts_with(field)) sum = sum.value_or(0) + std::stol(line.substr(field.size()));
    }
  }
  return sum;
}

TEST_F(MappedNoiseFile, KeepsNothingOfTheFileInMemory) {
  const std::optional<long> before = mapped_kilobytes_in_memory();
  if (!before) GTEST_SKIP() << "the system does not tell what is in memory";
  constexpr std::size_t elements = std::size_t{8} << 20U;
  constexpr long limit = 2 * 1024;  // a quarter of one noise
  auto noise = MappedNoiseStore<>::create(path_, 4, elements);
  for (Index group = 0; group < 4; ++group) {
    store(noise, group, std::vector<std::int8_t>(elements, std::int8_t{1}));
  }
  noise.flush();
  EXPECT_LT(*mapped_kilobytes_in_memory(), *before + limit);
  for (Index group = 0; group < 4; ++group) EXPECT_EQ(load(noise, group).back(), 1);
  EXPECT_LT(*mapped_kilobytes_in_memory(), *before + limit);
}

TEST_F(MappedNoiseFile, ForgetsWhatIsDiscarded) {
  auto noise = create();
  store(noise, 1, {5, 6});
  noise.discard_pending();
  EXPECT_EQ(noise.pending_bytes(), 0U);
  EXPECT_THAT(load(noise, 1), ElementsAre(0, 0));
  store(noise, 2, {7, 8});
  EXPECT_THAT(load(noise, 2), ElementsAre(7, 8));
  EXPECT_THAT(load(noise, 1), ElementsAre(0, 0));
}

TEST_F(MappedNoiseFile, TakesPendingNoiseFromAJournal) {
  std::optional<MappedNoiseStore<>> noise(create());
  noise->hold();
  store(*noise, 2, {5, 6});
  store(*noise, 0, {7, 8});
  const std::uint64_t checksum = noise->write_journal(journal_);
  noise.reset();

  noise.emplace(MappedNoiseStore<>::open(path_));
  store(*noise, 1, {1, 1});
  EXPECT_EQ(noise->read_journal(journal_), checksum);
  EXPECT_EQ(noise->pending_bytes(), 4U);
  EXPECT_THAT(load(*noise, 0), ElementsAre(7, 8));
  EXPECT_THAT(load(*noise, 1), ElementsAre(0, 0));
  EXPECT_THAT(load(*noise, 2), ElementsAre(5, 6));
  noise.reset();
  EXPECT_THAT(in_file(), ElementsAre(0, 0, 0, 0, 0, 0)) << "reading a journal must hold";
}

TEST_F(MappedNoiseFile, IsTheSameAfterAFlushThatWasInterrupted) {
  std::vector<std::int8_t> expected;
  {
    auto noise = create();
    noise.hold();
    store(noise, 2, {5, 6});
    store(noise, 0, {7, 8});
    (void)noise.write_journal(journal_);
    noise.flush();
    expected = in_file();
  }
  // The process was killed while it copied, at the first attempt and at the second.
  for (const char* torn : {"\0\0\0\0\5\0", "\7\0\0\0\5\6"}) {
    const std::string file = testing::read_file(path_).substr(0, header_size);
    testing::write_file(path_, file + std::string(torn, 6));
    auto noise = MappedNoiseStore<>::open(path_);
    (void)noise.read_journal(journal_);
    noise.flush();
    EXPECT_EQ(in_file(), expected);
  }
}

TEST_F(MappedNoiseFile, RefusesADamagedJournalAndChangesNothing) {
  auto noise = create();
  store(noise, 2, {5, 6});
  (void)noise.write_journal(journal_);
  store(noise, 2, {9, 9});
  const std::string whole = testing::read_file(journal_);
  const auto refused = [&](const std::string& damaged) {
    testing::write_file(journal_, damaged);
    EXPECT_THROW(noise.read_journal(journal_), FileError);
    EXPECT_EQ(noise.pending_bytes(), 2U);
    EXPECT_THAT(load(noise, 2), ElementsAre(9, 9));
  };
  for (std::size_t size = 0; size < whole.size(); ++size) refused(whole.substr(0, size));
  refused(whole + '\0');
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      refused(damaged);
    }
  }
}

TEST_F(MappedNoiseFile, RefusesAJournalOfOtherNoise) {
  auto noise = create();
  const auto refusal = [&]<class N>(MappedNoiseStore<N> other) {
    (void)other.write_journal(journal_);
    return message_of<FileError>([&] { noise.read_journal(journal_); });
  };
  EXPECT_THAT(refusal(MappedNoiseStore<>::create(directory_ / "a", 4, 2)),
              HasSubstr("journal', noise groups: expected 3, got 4"));
  EXPECT_THAT(refusal(MappedNoiseStore<>::create(directory_ / "b", 3, 1)),
              HasSubstr("journal', elements of a noise: expected 2, got 1"));
  EXPECT_THAT(refusal(MappedNoiseStore<float>::create(directory_ / "c", 3, 2)),
              HasSubstr("journal', dtype: expected |i1, got another one"));
  testing::write_file(journal_, std::string(100, 'x'));
  EXPECT_THAT(message_of<FileError>([&] { noise.read_journal(journal_); }),
              HasSubstr("beginning: expected unlearn journal, got something else"));
}

TEST_F(MappedNoiseFile, RefusesAForgedJournal) {
  auto noise = create();
  store(noise, 2, {5, 6});
  (void)noise.write_journal(journal_);
  const std::string whole = testing::read_file(journal_);
  const auto refusal = [&](std::size_t at, char value) {
    std::string forged = whole.substr(0, whole.size() - 8);
    forged[at] = value;
    const std::uint64_t checksum = checksum_of(std::as_bytes(std::span(forged)));
    forged.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    testing::write_file(journal_, forged);
    return message_of<FileError>([&] { noise.read_journal(journal_); });
  };
  constexpr std::size_t rows_at = 40;
  constexpr std::size_t group_at = 48;
  EXPECT_THAT(refusal(rows_at, 2), HasSubstr("size in bytes: expected 68, got 62"));
  EXPECT_THAT(refusal(rows_at + 7, 1), HasSubstr("rows: expected at most 3, got"));
  EXPECT_THAT(refusal(group_at, 3), HasSubstr("noise group: expected less than 3, got 3"));
}

}  // namespace
}  // namespace unlearn
