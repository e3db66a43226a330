// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {
namespace {

using testing::message_of;

TEST(ReadExactly, MovesOnInTheFileAndRefusesItsEnd) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "a";
  testing::write_file(path, "abcde");
  const FileDescriptor file(path, O_RDONLY);
  std::string bytes(2, ' ');
  const auto read = [&] { read_exactly(file, path, std::as_writable_bytes(std::span(bytes))); };
  read();
  EXPECT_EQ(bytes, "ab");
  read();
  EXPECT_EQ(bytes, "cd");
  EXPECT_EQ(message_of<FileError>(read),
            "file '" + path + "', size: expected 1 more bytes, got the end of the file");
  EXPECT_NO_THROW(read_exactly(file, path, {}));
}

TEST(ReadExactly, ReportsWhatTheSystemSays) {
  const testing::TemporaryDirectory directory;
  const FileDescriptor file(directory.path(), O_RDONLY | O_DIRECTORY);
  std::string bytes(2, ' ');
  EXPECT_THAT(message_of<FileError>([&] {
                read_exactly(file, directory.path(), std::as_writable_bytes(std::span(bytes)));
              }),
              ::testing::HasSubstr("expected to read 2 bytes, got Is a directory"));
}

TEST(DirectoryOf, IsThePartBeforeTheLastSlash) {
  EXPECT_EQ(directory_of("a"), ".");
  EXPECT_EQ(directory_of("/a"), "/");
  EXPECT_EQ(directory_of("a/b"), "a");
  EXPECT_EQ(directory_of("/a/b/c"), "/a/b");
}

}  // namespace
}  // namespace unlearn
