// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/file_mapping.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <istream>
#include <string>
#include <utility>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::detail {
namespace {

TEST(FileMapping, ReadsAndWritesTheFile) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "a", "abc");
  {
    FileMapping first(directory / "a", FileAccess::read_write);
    const FileMapping file = std::move(first);
    ASSERT_EQ(file.bytes().size(), 3U);
    EXPECT_EQ(file.bytes()[2], std::byte{'c'});
    file.bytes()[1] = std::byte{'x'};
    file.sync();
  }
  EXPECT_EQ(testing::read_file(directory / "a"), "axc");
}

TEST(FileMapping, OfAnEmptyFileHasNoBytes) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "a", "");
  const FileMapping file(directory / "a", FileAccess::read_write);
  EXPECT_TRUE(file.bytes().empty());
  file.sync();
}

TEST(FileMapping, NamesTheFileThatIsMissing) {
  EXPECT_EQ(testing::message_of<FileError>([] { FileMapping("/nowhere/a"); }),
            "file '/nowhere/a': expected to open it, got No such file or directory");
}

// Deep-learning frameworks read their archives from the end.
TEST(MappedInput, CanBePositioned) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "a", "0123456789");
  const FileMapping file(directory / "a");
  MappedInput buffer(file);
  std::istream in(&buffer);
  EXPECT_EQ(in.get(), '0');
  in.seekg(0, std::ios::end);
  EXPECT_EQ(in.tellg(), 10);
  in.seekg(-3, std::ios::end);
  EXPECT_EQ(in.get(), '7');
  in.seekg(-2, std::ios::cur);
  EXPECT_EQ(in.get(), '6');
  in.seekg(4);
  EXPECT_EQ(in.get(), '4');
  EXPECT_EQ(in.tellg(), 5);
  in.seekg(11);
  EXPECT_TRUE(in.fail());
  in.clear();
  in.seekg(-1);
  EXPECT_TRUE(in.fail());
}

}  // namespace
}  // namespace unlearn::detail
