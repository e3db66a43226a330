// SPDX-License-Identifier: Apache-2.0
#include "pairs/captions/caption_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "numpy.hpp"
#include "shared_data.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {

void PrintTo(const CaptionRow& row, std::ostream* out) {
  *out << '(' << row.image << " | " << row.caption << " | " << row.split << ')';
}

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::numpy;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;
using Rows = std::vector<CaptionRow>;

Rows read(const std::string& text) {
  const TemporaryDirectory directory;
  write_file(directory / "a", text);
  return read_captions(directory / "a");
}

/// What the FileError about a file with this text says of it.
std::string complaint(const std::string& text) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a";
  write_file(path, text);
  const std::string message = message_of<FileError>([&] { (void)read_captions(path); });
  const std::string start = "file '" + path + "', ";
  EXPECT_EQ(message.substr(0, start.size()), start);
  return message.substr(std::min(start.size(), message.size()));
}

const std::string expected_name =
    "image name: expected a relative path without '..' and control characters, got ";

// --- CSV

TEST(CaptionCsv, ReadsTwoAndThreeColumns) {
  EXPECT_THAT(read("image,caption\na.jpg,A dog .\n"), ElementsAre(CaptionRow{"a.jpg", "A dog ."}));
  EXPECT_THAT(read("image,caption,split\na.jpg,A dog .,train\nd/b.jpg,,\n"),
              ElementsAre(CaptionRow{"a.jpg", "A dog .", "train"}, CaptionRow{"d/b.jpg"}));
  EXPECT_THAT(read("image,caption\n"), IsEmpty());
}

TEST(CaptionCsv, ReadsQuotesAndNewlinesWithinCaptions) {
  EXPECT_THAT(read("image,caption\n"
                   "\"a.jpg\",\"One, \"\"two\"\"\nthree\r\n\"\n"
                   "b.jpg,\"\"\n"
                   "c.jpg,\"\"\"\"\n"),
              ElementsAre(CaptionRow{"a.jpg", "One, \"two\"\nthree\r\n"}, CaptionRow{"b.jpg"},
                          CaptionRow{"c.jpg", "\""}));
}

TEST(CaptionCsv, ReadsCarriageReturnsAMarkBlankLinesAndAnOpenEnd) {
  EXPECT_THAT(read("\xEF\xBB\xBFimage,caption\r\n\r\na.jpg, A dog \r\n\n\nb.jpg,A cat"),
              ElementsAre(CaptionRow{"a.jpg", " A dog "}, CaptionRow{"b.jpg", "A cat"}));
}

TEST(CaptionCsv, ReadsWhatPythonWrites) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.csv";
  // Every text of up to four of the characters that matter.
  numpy(R"py(
import csv, itertools
with open(')py" +
        path + R"py(', 'w', newline='') as file:
    rows = csv.writer(file)
    rows.writerow(['image', 'caption', 'split'])
    for length in range(5):
        for text in itertools.product('a ,\x22\r\n', repeat=length):
            rows.writerow(['a', ''.join(text), 'x'])
)py");
  const std::string characters = "a ,\"\r\n";
  const Rows rows = read_captions(path);
  ASSERT_EQ(rows.size(), 1U + 6 + 36 + 216 + 1296);
  std::size_t row = 0;
  std::vector<std::string> texts{""};
  for (int length = 0; length < 5; ++length) {
    std::vector<std::string> longer;
    for (const std::string& text : texts) {
      EXPECT_EQ(rows[row++], (CaptionRow{"a", text, "x"}));
      for (const char c : characters) longer.push_back(text + c);
    }
    texts = longer;
  }
}

TEST(CaptionCsv, NamesTheLine) {
  EXPECT_EQ(complaint("image,caption\n\na,b\na,b,c\n"), "line 4, fields: expected 2, got 3");
  EXPECT_EQ(complaint("image,caption\na,\"b\nc\"\nx\n"), "line 4, fields: expected 2, got 1");
  EXPECT_EQ(complaint("image,caption\na,\"b\nc\n"),
            "line 2: expected a quote that ends the field, got \"b\\nc\\n\"");
  EXPECT_EQ(complaint("image,caption\na,\"b\"c\n"),
            "line 2: expected a comma or the line's end behind a field, got \"c\\n\"");
  EXPECT_EQ(complaint("image,caption\na,b\"c\"\n"),
            "line 2: expected quotes around the whole field, got \"\\\"c\\\"\\n\"");
  EXPECT_EQ(complaint("image,caption\na,b\rc"),
            "line 2: expected a comma or the line's end behind a field, got \"\\rc\"");
  EXPECT_EQ(complaint("image,caption\r\na.jpg,caf\xe9\r\n"),
            "line 2, caption: expected valid UTF-8, got \"caf\\ufffd\"");
  EXPECT_EQ(complaint("image,caption,split\na.jpg,b,x\x1b[0m\n"),
            "line 2, split: expected a word, got \"x\\u001b[0m\"");
}

TEST(CaptionCsv, NamesWhatItTakesForAHeader) {
  const std::string expected =
      "line 1: expected a header 'image,caption' or 'image,caption,split', or a line "
      "'<image>#<number><tab><caption>', got ";
  EXPECT_EQ(complaint(""), expected + "\"\"");
  EXPECT_EQ(complaint("image\n"), expected + "\"image\"");
  EXPECT_EQ(complaint("caption,image\na,b\n"), expected + "\"caption,image\"");
  EXPECT_EQ(complaint("image,caption,split,more\n"), expected + "\"image,caption,split,more\"");
  EXPECT_EQ(complaint(std::string("\xff\xfei\0m\0", 6)),
            expected + "\"\\ufffd\\ufffdi\\u0000m\\u0000\"");
}

// --- What holds for each format

TEST(CaptionRows, HostileImageNamesAreRefused) {
  for (const std::string name : {"/etc/passwd", "..", "../a.jpg", "a/../../b.jpg", "a/.."}) {
    EXPECT_EQ(complaint("image,caption\n" + name + ",b\n"),
              "line 2, " + expected_name + "\"" + name + "\"");
    EXPECT_EQ(complaint(name + "#0\tb\n"), "line 1, " + expected_name + "\"" + name + "\"");
  }
  EXPECT_EQ(complaint("image,caption\n,b\n"), "line 2, " + expected_name + "\"\"");
  EXPECT_EQ(complaint("image,caption\na\x1b]0;b,c\n"),
            "line 2, " + expected_name + "\"a\\u001b]0;b\"");
  EXPECT_EQ(complaint("image,caption\n\"a\n\",c\n"), "line 2, " + expected_name + "\"a\\n\"");
  EXPECT_EQ(complaint("image,caption\na\xc2\x85,c\n"), "line 2, " + expected_name + "\"a\\u0085\"");
  EXPECT_EQ(complaint("image,caption\na\xff,c\n"), "line 2, " + expected_name + "\"a\\ufffd\"");
  EXPECT_EQ(complaint(R"({"images": [{"filename": "a\u0000.jpg", "sentences": [{"raw": "b"}]}]})"),
            "/images/0/sentences/0, " + expected_name + "\"a\\u0000.jpg\"");
}

TEST(CaptionRows, NamesThatOnlyLookHostileAreRead) {
  EXPECT_THAT(read("image,caption\n..a/b..jpg,c\n.../d,\xc3\xa9\n"),
              ElementsAre(CaptionRow{"..a/b..jpg", "c"}, CaptionRow{".../d", "\xc3\xa9"}));
}

TEST(CaptionRows, MalformedUtf8IsRefused) {
  for (const std::string text : {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                 "\xe2\x82", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_THAT(complaint("image,caption\na," + text + "\n"),
                HasSubstr("line 2, caption: expected valid UTF-8"));
  }
  EXPECT_NO_THROW((void)read("image,caption\na,\xf0\x9f\x90\xb6 \xef\xbf\xbd\n"));
}

TEST(CaptionRows, AFileBeyondTheLimitIsRefused) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a";
  write_file(path, "image,caption\n");
  EXPECT_NO_THROW((void)read_captions(path, 14));
  EXPECT_EQ(message_of<FileError>([&] { (void)read_captions(path, 13); }),
            "file '" + path + "', size in bytes: expected at most 13, got 14");
  EXPECT_THROW((void)read_captions(directory / "none"), FileError);
  EXPECT_THROW((void)read_captions(directory.path()), FileError);
}

// --- Flickr8k's token file

TEST(CaptionTokens, ReadsFlickrsLines) {
  EXPECT_THAT(read("a.jpg#0\tA dog , #1 .\r\na.jpg#1\tTwo\ttabs\n\nb#2.jpg#10\t\n"),
              ElementsAre(CaptionRow{"a.jpg", "A dog , #1 ."}, CaptionRow{"a.jpg", "Two\ttabs"},
                          CaptionRow{"b#2.jpg"}));
}

TEST(CaptionTokens, NamesTheLine) {
  for (const std::string line : {"b.jpg\tc", "b.jpg#\tc", "b.jpg#1a\tc", "b.jpg#1 c"}) {
    const std::string got = message_of<FileError>([&] { (void)read("a.jpg#0\tb\n\n" + line); });
    EXPECT_THAT(got, HasSubstr("line 3: expected '<image>#<number><tab><caption>', got \"b.jpg"));
  }
  EXPECT_EQ(complaint("a.jpg#0\tb\na.jpg#1\t\xff\n"),
            "line 2, caption: expected valid UTF-8, got \"\\ufffd\"");
}

// --- JSON

TEST(CaptionJson, ReadsKarpathysFiles) {
  EXPECT_THAT(read(R"({"dataset": "flickr8k", "images": [
    {"filename": "a.jpg", "imgid": 0, "sentids": [0, 1], "split": "train", "sentences":
      [{"tokens": ["a", "dog"], "raw": "A dog .", "imgid": 0, "sentid": 0},
       {"tokens": ["caf\u00e9"], "raw": "Caf\u00e9", "imgid": 0, "sentid": 1}]},
    {"filename": "b.jpg", "sentences": []},
    {"filename": "c.jpg", "sentences": [{"raw": "C"}]}]})"),
              ElementsAre(CaptionRow{"a.jpg", "A dog .", "train"},
                          CaptionRow{"a.jpg", "Caf\xc3\xa9", "train"}, CaptionRow{"c.jpg", "C"}));
}

TEST(CaptionJson, ReadsCocosFiles) {
  EXPECT_THAT(read("\xEF\xBB\xBF"
                   R"( {"info": {"year": 2017}, "licenses": [],
    "annotations": [{"image_id": 7, "id": 1, "caption": "A cat"},
                    {"image_id": -2, "id": 2, "caption": "A dog"},
                    {"image_id": 7, "id": 3, "caption": "Cat"}],
    "images": [{"id": -2, "file_name": "2.jpg", "height": 1}, {"id": 7, "file_name": "7.jpg"}]})"),
              ElementsAre(CaptionRow{"7.jpg", "A cat"}, CaptionRow{"2.jpg", "A dog"},
                          CaptionRow{"7.jpg", "Cat"}));
}

TEST(CaptionJson, NamesTheElement) {
  EXPECT_EQ(complaint("[]"), "top level: expected an object, got array");
  EXPECT_EQ(complaint("{}"), "/images: expected a value, got nothing");
  EXPECT_EQ(complaint(R"({"images": 3})"), "/images: expected an array, got 3");
  EXPECT_EQ(complaint(R"({"images": [{"filename": "a", "sentences": []}, 5]})"),
            "/images/1: expected an object, got 5");
  EXPECT_EQ(complaint(R"({"images": [{"sentences": []}]})"),
            "/images/0/filename: expected a value, got nothing");
  EXPECT_EQ(complaint(R"({"images": [{"filename": null}]})"),
            "/images/0/filename: expected a string, got null");
  EXPECT_EQ(complaint(R"({"images": [{"filename": "a", "sentences": [{"raw": "b"}, {}]}]})"),
            "/images/0/sentences/1/raw: expected a value, got nothing");
  EXPECT_EQ(complaint(R"({"annotations": [], "images": [{"id": "1", "file_name": "a"}]})"),
            "/images/0/id: expected an integer, got \"1\"");
  EXPECT_EQ(complaint(R"({"annotations": [], "images": [{"id": 1, "file_name": "a"},
                                                        {"id": 1, "file_name": "b"}]})"),
            "/images/1/id: expected a number of its own, got 1");
  EXPECT_EQ(complaint(R"({"annotations": [{"image_id": 4, "caption": "a"}], "images": []})"),
            "/annotations/0/image_id: expected the id of an image, got 4");
}

TEST(CaptionJson, BrokenDocumentsAreRefused) {
  for (const std::string text :
       {"{", "{\"images\": [", "{\"images\": []} {}", "[1, 2",
        "{\"images\": [{\"raw\": \"\xff\"}]}", "{\"images\": [{\"raw\": \"\\ud800\"}]}"}) {
    EXPECT_THAT(complaint(text), HasSubstr("JSON: expected a complete document, got "));
  }
  EXPECT_THAT(complaint("{\n\"images\": [\n,"), HasSubstr("line 3"));
}

TEST(CaptionJson, DeepNestingIsNoDanger) {
  const std::string deep(1'000'000, '[');
  const std::string end(1'000'000, ']');
  EXPECT_THAT(complaint(deep), HasSubstr("JSON"));
  EXPECT_EQ(complaint(deep + end), "top level: expected an object, got array");
  EXPECT_EQ(complaint("{\"images\": " + deep + end + "}"),
            "/images/0: expected an object, got array");
}

// --- Writing

TEST(WriteCaptions, ComeBackAsTheyWere) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.csv";
  const Rows rows{{"a.jpg", "A \"dog\", two\r\ncats\n", "train"},
                  {"b, c.jpg", " \xf0\x9f\x90\xb6\t", ""},
                  {"d/e.jpg", "", "val"},
                  {"f.jpg", "\"", "test"}};
  write_captions_csv(path, rows);
  EXPECT_EQ(read_captions(path), rows);
  EXPECT_EQ(read_file(path),
            "image,caption,split\n"
            "a.jpg,\"A \"\"dog\"\", two\r\ncats\n\",train\n"
            "\"b, c.jpg\", \xf0\x9f\x90\xb6\t,\n"
            "d/e.jpg,,val\n"
            "f.jpg,\"\"\"\",test\n");
  EXPECT_EQ(
      numpy("import csv; print([r[1] for r in csv.reader(open('" + path + "', newline=''))][1:])"),
      "['A \"dog\", two\\r\\ncats\\n', ' \xf0\x9f\x90\xb6\\t', '', '\"']\n");
  write_captions_csv(path, {});
  EXPECT_THAT(read_captions(path), IsEmpty());
}

TEST(WriteCaptions, RefusesWhatCouldNotBeRead) {
  const TemporaryDirectory directory;
  const auto refusal = [&](const CaptionRow& row) {
    return message_of<InvalidArgument>([&] {
      write_captions_csv(directory / "a.csv", std::vector{CaptionRow{"a", "b", "c"}, row});
    });
  };
  EXPECT_EQ(refusal({"../a", "b"}), "row 1, " + expected_name + "\"../a\"");
  EXPECT_EQ(refusal({"a", "\xff"}), "row 1, caption: expected valid UTF-8, got \"\\ufffd\"");
  EXPECT_EQ(refusal({"a", "b", "\n"}), "row 1, split: expected a word, got \"\\n\"");
  EXPECT_TRUE(testing::names_in(directory.path()).empty());
}

TEST(WriteCaptions, AFullDiskLeavesTheOldFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.csv";
  write_captions_csv(path, Rows{{"a", "b", "c"}});
  {
    const testing::FileSizeLimit limit(4096);
    EXPECT_THROW(write_captions_csv(path, Rows(1000, {"a", "a caption", "train"})), FileError);
  }
  EXPECT_THAT(read_captions(path), ElementsAre(CaptionRow{"a", "b", "c"}));
  EXPECT_EQ(testing::names_in(directory.path()), std::set<std::string>{"a.csv"});
}

TEST(CaptionCsv, ReadsFlickr8k) {
  const auto path = testing::shared_data("data/flickr8k-128/captions.csv");
  if (!path) GTEST_SKIP() << testing::no_shared_data;
  const Rows rows = read_captions(path->string());
  EXPECT_EQ(rows.size(), 8091U * 5);
  EXPECT_EQ(rows.front().image, "1000268201_693b08cb0e.jpg");
  EXPECT_EQ(std::ranges::count(rows, "test", &CaptionRow::split), 5000);

  const TemporaryDirectory directory;
  write_captions_csv(directory / "again.csv", rows);
  EXPECT_EQ(read_captions(directory / "again.csv"), rows);
}

}  // namespace
}  // namespace unlearn::pairs
