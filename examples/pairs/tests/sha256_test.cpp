// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/sha256.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;

// The examples of FIPS 180-2, appendix B.
const std::string of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string of_a_million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, OfBytes) {
  EXPECT_EQ(sha256_of({}), of_nothing);
  EXPECT_EQ(sha256_of(std::as_bytes(std::span("abc", 3))), of_abc);
}

TEST(Sha256, OfAFileOfAnyLength) {
  const TemporaryDirectory directory;
  for (const auto& [contents, sum] : {std::pair(std::string(), of_nothing),
                                      {"abc", of_abc},
                                      {std::string(1'000'000, 'a'), of_a_million}}) {
    testing::write_file(directory / "file", contents);
    EXPECT_EQ(sha256_of_file(directory / "file"), sum);
  }
}

TEST(Sha256, OfAFileThatCannotBeRead) {
  const TemporaryDirectory directory;
  EXPECT_THAT(message_of<FileError>([&] { (void)sha256_of_file(directory / "none"); }),
              HasSubstr("none': expected to open it, got No such file"));
  EXPECT_THAT(message_of<FileError>([&] { (void)sha256_of_file(directory.path()); }),
              HasSubstr("expected to read it, got Is a directory"));
}

}  // namespace
}  // namespace unlearn::pairs
