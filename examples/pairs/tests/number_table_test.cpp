// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/number_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using unlearn::testing::message_of;
using unlearn::testing::read_file;
using unlearn::testing::write_file;

struct Line {
  std::uint32_t round = 0;
  double rate = 0;
  std::optional<double> loss{};

  friend bool operator==(const Line&, const Line&) = default;
};

template <class Archive, class Any>
void describe(Archive& archive, Any& line) {
  auto& [round, rate, loss] = line;
  archive("round", round);
  archive("rate", rate);
  archive("loss", loss);
}

class NumberTableTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string complaint(const std::string& text) const {
    write_file(path, text);
    const std::string message = message_of<FileError>([&] { (void)read_table<Line>(path); });
    const std::string start = "file '" + path + "', ";
    return message.starts_with(start) ? message.substr(start.size()) : message;
  }

  unlearn::testing::TemporaryDirectory directory;
  std::string path = directory / "a.csv";
};

TEST_F(NumberTableTest, GivesBackWhatWasWritten) {
  const std::vector<Line> lines{{1, 0.0005, 2.25}, {4294967295U, 1e-30, std::nullopt}};
  write_table<Line>(path, lines);
  EXPECT_EQ(read_file(path), "round,rate,loss\n1,0.0005,2.25\n4294967295,1e-30,\n");
  EXPECT_EQ(read_table<Line>(path), lines);
  write_table<Line>(path, {});
  EXPECT_THAT(read_table<Line>(path), IsEmpty());
}

TEST_F(NumberTableTest, WritesNineDigitsWhichStayTheSame) {
  write_table<Line>(path, std::vector<Line>{{1, 1.0 / 3, 2.0e10 / 3}});
  const std::string once = read_file(path);
  EXPECT_EQ(once, "round,rate,loss\n1,0.333333333,6.66666667e+09\n");
  write_table<Line>(path, read_table<Line>(path));
  EXPECT_EQ(read_file(path), once);
}

TEST_F(NumberTableTest, TakesColumnsInAnyOrderAndOthers) {
  write_file(path, "x,loss,rate,round\r\n7,,2,1\r\n");
  EXPECT_THAT(read_table<Line>(path), ElementsAre(Line{1, 2, std::nullopt}));
}

TEST_F(NumberTableTest, NamesTheLineAndTheColumn) {
  const std::string header = "round,rate,loss\n";
  EXPECT_EQ(complaint(""), "header: expected a column 'round', got none");
  EXPECT_EQ(complaint("round,loss\n"), "header: expected a column 'rate', got none");
  EXPECT_EQ(complaint(header + "1,2\n"), "line 2: expected 3 fields, got 2");
  EXPECT_EQ(complaint(header + "1,2,\n1,,\n"),
            "line 3, \"rate\": expected a number, got an empty field");
  EXPECT_EQ(complaint(header + "1,2,nan\n"),
            "line 2, \"loss\": expected a finite number, got \"nan\"");
  for (const char* const bad : {"1.5", "-1", "4294967296"}) {
    EXPECT_EQ(complaint(header + bad + ",2,\n"),
              std::string("line 2, \"round\": expected a whole number from 0, got ") + bad);
  }
}

TEST_F(NumberTableTest, RefusesFilesThatCannotBeRead) {
  EXPECT_EQ(message_of<FileError>([&] { NumberTable{directory / "none"}; }),
            "file '" + (directory / "none") +
                "', contents: expected a readable file, got No such file or directory");
  write_file(path, "a\n1\n");
  EXPECT_EQ(message_of<FileError>([&] { NumberTable(path, 3); }),
            "file '" + path + "', size in bytes: expected at most 3, got 4");
}

}  // namespace
}  // namespace unlearn::pairs
