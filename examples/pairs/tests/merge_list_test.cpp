// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/merge_list.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): setenv is POSIX's

#include <filesystem>
#include <string>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using testing::TemporaryDirectory, testing::write_file;

constexpr const char* file_name = "open_clip/bpe_simple_vocab_16e6.txt.gz";

std::string install(const TemporaryDirectory& root, const std::string& python) {
  const std::string packages = root / ("lib/" + python + "/site-packages/");
  std::filesystem::create_directories(packages + "open_clip");
  write_file(packages + file_name, "merges");
  return packages + file_name;
}

TEST(MergeList, IsFoundInAVirtualEnvironmentTheNewestPythonFirst) {
  const TemporaryDirectory root;
  ::setenv("VIRTUAL_ENV", root.path().c_str(), 1);
  const std::string old = install(root, "python3.9");
  EXPECT_EQ(installed_merge_list(), old);
  const std::string recent = install(root, "python3.12");
  EXPECT_EQ(installed_merge_list(), recent);
  EXPECT_EQ(merge_list_or_default(""), recent);
  EXPECT_EQ(merge_list_or_default("a file"), "a file");
  ::unsetenv("VIRTUAL_ENV");
}

TEST(MergeList, SaysWhatToDoWhenThereIsNone) {
  const TemporaryDirectory nowhere;
  ::unsetenv("VIRTUAL_ENV");
  ::unsetenv("CONDA_PREFIX");
  ::setenv("HOME", nowhere.path().c_str(), 1);
  if (installed_merge_list()) GTEST_SKIP() << "the system has a package open_clip_torch";
  EXPECT_EQ(testing::message_of<FileError>([] { (void)merge_list_or_default(""); }),
            "CLIP's merge list: expected --vocab FILE (bpe_simple_vocab_16e6.txt.gz of OpenAI's "
            "CLIP), or an installed Python package open_clip_torch that brings it, got neither");
}

}  // namespace
}  // namespace unlearn::pairs
