// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/atomic_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/checksum.hpp"

namespace unlearn::detail {
namespace {

using ::testing::AllOf;
using testing::bytes_of;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::UnorderedElementsAre;

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "a", "before");
  AtomicFile file(directory / "a");
  file.write(bytes_of("after"));
  EXPECT_EQ(testing::read_file(directory / "a"), "before");
  file.commit();
  EXPECT_EQ(testing::read_file(directory / "a"), "after");
  EXPECT_THAT(testing::names_in(directory.path()), UnorderedElementsAre("a"));
}

TEST(AtomicFile, LeavesNothingWithoutACommit) {
  const testing::TemporaryDirectory directory;
  {
    AtomicFile(directory / "a").write(bytes_of("lost"));
  }
  EXPECT_TRUE(testing::names_in(directory.path()).empty());
}

TEST(AtomicFile, KeepsTheOrderOfStreamedAndWrittenBytes) {
  const testing::TemporaryDirectory directory;
  std::string expected;
  AtomicFile file(directory / "a");
  std::ostream out(&file);
  for (const std::size_t size : {1U, 65'535U, 65'536U, 65'537U, 200'000U, 3U}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    out.write(piece.data(), static_cast<std::streamsize>(size));
    out.put('|');
    file.write(bytes_of(piece));
    expected += piece + '|' + piece;
  }
  for (int i = 0; i < 70'000; ++i) out.put(static_cast<char>(i));
  for (int i = 0; i < 70'000; ++i) expected += static_cast<char>(i);
  EXPECT_TRUE(out.good());
  EXPECT_EQ(file.checksum(), checksum_of(bytes_of(expected)));
  file.commit();
  EXPECT_EQ(testing::read_file(directory / "a"), expected);
}

TEST(AtomicFile, NamesTheFileAndWhatTheSystemSaid) {
  EXPECT_EQ(message_of<FileError>([] { AtomicFile("/nowhere/a"); }),
            "file '/nowhere/a.tmp': expected to open it, got No such file or directory");
}

TEST(AtomicFile, AFullDiskIsAnErrorAndLeavesTheFileAsItWas) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "a", "before");
  {
    const testing::FileSizeLimit limit(1000);
    AtomicFile file(directory / "a");
    EXPECT_THAT(
        message_of<FileError>([&] { file.write(bytes_of(std::string(1500, 'x'))); }),
        AllOf(HasSubstr("a.tmp': expected to write 500 bytes"), EndsWith("got File too large")));
  }
  EXPECT_EQ(testing::read_file(directory / "a"), "before");
  EXPECT_THAT(testing::names_in(directory.path()), UnorderedElementsAre("a"));
}

TEST(AtomicFile, AFullDiskThrowsThroughAStream) {
  const testing::TemporaryDirectory directory;
  const testing::FileSizeLimit limit(1000);
  AtomicFile file(directory / "a");
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  EXPECT_THAT(message_of<FileError>([&] {
                for (int i = 0; i < 100'000; ++i) out << i;
              }),
              EndsWith("got File too large"));
}

TEST(AtomicFile, AFullDiskIsFoundWhenSpaceIsReserved) {
  const testing::TemporaryDirectory directory;
  const testing::FileSizeLimit limit(1000);
  AtomicFile file(directory / "a");
  file.reserve(1000);
  EXPECT_THAT(message_of<FileError>([&] { file.reserve(1001); }),
              HasSubstr("expected to reserve 1001 bytes, got File too large"));
}

TEST(AtomicFile, ADeviceThatTakesNothingIsAnError) {
  // /dev/full refuses all writes, like a disk that became full after the file was created.
  const testing::TemporaryDirectory directory;
  std::filesystem::create_symlink("/dev/full", directory / "a.tmp");
  AtomicFile file(directory / "a");
  EXPECT_THAT(message_of<FileError>([&] { file.write(bytes_of("x")); }),
              EndsWith("expected to write 1 bytes, got No space left on device"));
}

}  // namespace
}  // namespace unlearn::detail
