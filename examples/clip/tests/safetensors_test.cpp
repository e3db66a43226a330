// SPDX-License-Identifier: Apache-2.0
#include "clip/model/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "shared_data.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

using ::testing::ElementsAre;
using testing::FileSizeLimit;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::names_in;
using testing::no_shared_data;
using testing::read_file;
using testing::shared_data;
using testing::TemporaryDirectory;

const std::vector<float> six{0, 0.25F, 0.5F, 0.75F, 1, 1.25F};
const std::vector<std::int64_t> two{3, -1};
const std::array<std::byte, 3> three{std::byte{1}, std::byte{0}, std::byte{1}};

TensorBytesByName some_tensors() {
  return {{"a.flags", {Dtype::BOOL, {3}, three}},
          {"b", {Dtype::F32, {2, 3}, std::as_bytes(std::span(six))}},
          {"empty", {Dtype::F16, {0, 4}, {}}},
          {"number", {Dtype::F32, {}, std::as_bytes(std::span(six)).subspan(4, 4)}},
          {"z", {Dtype::I64, {2}, std::as_bytes(std::span(two))}}};
}

std::string written(const TensorBytesByName& tensors, const Metadata& metadata = {}) {
  std::ostringstream out;
  write_safetensors(out, tensors, metadata);
  return out.str();
}

/// A file with this header and that many bytes of elements.
std::string file_of(const std::string& header, std::size_t elements = 0) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(elements, '\0');
}

SafetensorsContents parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "x");
}

/// The message without "file 'x', ".
std::string message_for(const std::string& file) {
  const std::string message = message_of<FileError>([&] { (void)parse(file); });
  const std::string name = "file 'x', ";
  EXPECT_THAT(message, ::testing::StartsWith(name));
  return message.substr(std::min(name.size(), message.size()));
}

std::vector<std::byte> bytes_of(const TensorBytes& tensor) {
  return {tensor.bytes.begin(), tensor.bytes.end()};
}

void expect_equal(const TensorBytesByName& tensors, const TensorBytesByName& expected) {
  ASSERT_EQ(tensors.size(), expected.size());
  for (const auto& [name, tensor] : tensors) {
    const TensorBytes& other = expected.at(name);
    EXPECT_EQ(tensor.dtype, other.dtype) << name;
    EXPECT_EQ(tensor.shape, other.shape) << name;
    EXPECT_EQ(bytes_of(tensor), bytes_of(other)) << name;
  }
}

TEST(Safetensors, ComeBackFromAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  const Metadata metadata{{"format", "pt"}, {"note", "\"é\"\n"}};
  write_safetensors(path, some_tensors(), metadata);
  SafetensorsFile opened(path);
  const SafetensorsFile file = std::move(opened);
  expect_equal(file.tensors(), some_tensors());
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.path(), path);
  EXPECT_THAT(file.at("b").shape, ElementsAre(2U, 3U));
  EXPECT_EQ(message_of<FileError>([&] { (void)file.at("c"); }),
            "file '" + path + "', contents: expected tensor \"c\", got none of that name");
  EXPECT_THAT(names_in(directory.path()), ElementsAre("a.safetensors"));
}

TEST(Safetensors, AreWrittenWideElementsFirstAndAligned) {
  const std::string file = written(some_tensors());
  const SafetensorsContents contents = parse(file);
  const auto offset = [&](const std::string& name) {
    return static_cast<std::size_t>(
        reinterpret_cast<const char*>(contents.tensors.at(name).bytes.data()) - file.data());
  };
  const std::size_t begin = offset("z");
  EXPECT_EQ(begin % 8, 0U);
  EXPECT_EQ(offset("b"), begin + 16);
  EXPECT_EQ(offset("number"), begin + 40);
  EXPECT_EQ(offset("empty"), begin + 44);
  EXPECT_EQ(offset("a.flags"), begin + 44);
  EXPECT_EQ(file.size(), begin + 47);
}

TEST(Safetensors, HaveAHeaderThatOtherReadersKnow) {
  const TensorBytesByName tensors{{"z", {Dtype::I64, {2}, std::as_bytes(std::span(two))}}};
  const std::string file = written(tensors, {{"k", "v"}});
  const std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})";
  EXPECT_EQ(file.substr(8, header.size()), header);
  EXPECT_THAT(file.substr(8 + header.size(), file.size() - 16 - 8 - header.size()),
              ::testing::MatchesRegex(" *"));
}

TEST(Safetensors, MayBeNone) {
  EXPECT_THAT(parse(written({})).tensors, IsEmpty());
  EXPECT_THAT(parse(file_of("{}")).tensors, IsEmpty());
  EXPECT_THAT(parse(file_of("{}   ")).metadata, IsEmpty());
}

TEST(Safetensors, OfEveryType) {
  const std::vector<std::byte> bytes(24);
  for (const auto& [dtype, name, size] :
       std::vector<std::tuple<Dtype, std::string, std::size_t>>{{Dtype::F64, "F64", 8},
                                                                {Dtype::F32, "F32", 4},
                                                                {Dtype::F16, "F16", 2},
                                                                {Dtype::BF16, "BF16", 2},
                                                                {Dtype::I64, "I64", 8},
                                                                {Dtype::I32, "I32", 4},
                                                                {Dtype::I16, "I16", 2},
                                                                {Dtype::I8, "I8", 1},
                                                                {Dtype::U8, "U8", 1},
                                                                {Dtype::BOOL, "BOOL", 1}}) {
    EXPECT_EQ(size_of(dtype), size);
    EXPECT_EQ(name_of(dtype), name);
    const std::string file = written({{"t", {dtype, {3}, std::span(bytes).first(3 * size)}}});
    EXPECT_THAT(file, HasSubstr("\"" + name + "\""));
    EXPECT_EQ(parse(file).tensors.at("t").dtype, dtype);
  }
}

TEST(Safetensors, AFileThatIsCutOffIsAnError) {
  const std::string file = written(some_tensors(), {{"k", "v"}});
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_THROW((void)parse(file.substr(0, size)), FileError) << size;
  }
  EXPECT_EQ(message_for(""), "size: expected at least 8 bytes, the header's length, got 0");
  EXPECT_EQ(message_for(file + "x"), "bytes of all tensors: expected 48, got 47");
}

TEST(Safetensors, NoLengthIsBelieved) {
  EXPECT_EQ(message_for(std::string(8, '\xFF') + "{}"),
            "length of the header: expected at most 2 bytes, got 18446744073709551615");
  EXPECT_EQ(message_for(std::string(8, '\0')), "header: expected a JSON object, got \"\"");
  // More than the format allows, though the file has it.
  EXPECT_EQ(message_for(file_of("{}" + std::string(100'000'000 - 1, ' '))),
            "length of the header: expected at most 100000000 bytes, got 100000001");
}

TEST(Safetensors, NamesWhatIsWrongWithAHeader) {
  EXPECT_EQ(message_for(file_of("[]")), "header: expected a JSON object, got \"[\"");
  EXPECT_EQ(message_for(file_of(" {}")), "header: expected a JSON object, got \" \"");
  EXPECT_EQ(message_for(file_of("{} x")),
            "header: expected JSON, got something else at its byte 4");
  EXPECT_EQ(message_for(file_of("{\"a\xFF\":1}")),
            "header: expected JSON, got something else at its byte 4");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  EXPECT_EQ(message_for(file_of(deep)), "header: expected nesting at most 3 deep, got more");
  const std::string tensor = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_EQ(message_for(file_of(R"({"a":)" + tensor + R"(,"a":)" + tensor + "}", 1)),
            "header: expected each name once in an object, got \"a\" again");
  EXPECT_EQ(message_for(file_of(R"({"__metadata__":3})")),
            "__metadata__: expected an object, got number");
  EXPECT_EQ(message_for(file_of(R"({"__metadata__":{"k":[]}})")),
            "__metadata__: expected a string under \"k\", got array");
}

TEST(Safetensors, NamesWhatIsWrongWithATensor) {
  const auto message = [](const std::string& entry) {
    const std::string text = message_for(file_of("{\"t\":" + entry + "}", 8));
    EXPECT_THAT(text, ::testing::StartsWith("tensor \"t\": expected "));
    return text.substr(std::min<std::size_t>(21, text.size()));
  };
  const auto with = [&](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return message("{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
                   "}");
  };
  EXPECT_EQ(message("7"), "an object, got 7");
  EXPECT_EQ(message("{}"), "dtype, got none");
  EXPECT_EQ(message(R"({"dtype":"U8","shape":[8]})"), "data_offsets, got none");
  EXPECT_EQ(message(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8],"more":0})"),
            "dtype, shape and data_offsets, got \"more\"");

  const std::string dtypes = "dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got ";
  EXPECT_EQ(with(R"("F8_E5M2")", "[8]", "[0,8]"), dtypes + R"("F8_E5M2")");
  EXPECT_EQ(with("32", "[8]", "[0,8]"), dtypes + "32");

  const std::string shape = "shape as a list of numbers from 0 on, got ";
  EXPECT_EQ(with(R"("U8")", "8", "[0,8]"), shape + "8");
  EXPECT_EQ(with(R"("U8")", "[-8]", "[0,8]"), shape + "[-8]");
  EXPECT_EQ(with(R"("U8")", "[8.0]", "[0,8]"), shape + "[8.0]");
  EXPECT_EQ(with(R"("U8")", "[18446744073709551616]", "[0,8]"), shape + "[1.8446744073709552e+19]");
  EXPECT_EQ(with(R"("U8")", "[4294967296,4294967297]", "[0,8]"),
            "a shape that fits into memory, got [4294967296,4294967297]");
  EXPECT_EQ(with(R"("F64")", "[2305843009213693953]", "[0,8]"),
            "a shape that fits into memory, got [2305843009213693953]");
  EXPECT_EQ(with(R"("U8")", "[7]", "[0,8]"), "7 bytes for its shape, got 8");
  EXPECT_EQ(with(R"("F16")", "[]", "[0,8]"), "2 bytes for its shape, got 8");

  const std::string offsets = "data_offsets [begin, end], ascending, at most 8, got ";
  for (const std::string wrong :
       {"[0,9]", "[9,9]", "[5,4]", "[0]", "[0,4,8]", "[]", "[8,18446744073709551615]"}) {
    EXPECT_EQ(with(R"("U8")", "[8]", wrong), offsets + wrong);
  }
}

TEST(Safetensors, MustCoverTheFileOnce) {
  const auto entry = [](const std::string& name, std::size_t begin, std::size_t end) {
    return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
           R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  const auto of = [](const std::string& entries) { return file_of("{" + entries + "}", 8); };
  EXPECT_EQ(message_for(of(entry("a", 0, 3) + "," + entry("b", 4, 8))),
            "tensor \"b\": expected to begin at 3, where the tensor before it ends, got 4");
  EXPECT_EQ(message_for(of(entry("a", 0, 5) + "," + entry("b", 4, 8))),
            "tensor \"b\": expected to begin at 5, where the tensor before it ends, got 4");
  EXPECT_EQ(message_for(of(entry("a", 0, 8) + "," + entry("b", 0, 8))),
            "tensor \"b\": expected to begin at 8, where the tensor before it ends, got 0");
  EXPECT_EQ(message_for(of(entry("a", 1, 8))),
            "tensor \"a\": expected to begin at 0, where the tensor before it ends, got 1");
  EXPECT_EQ(message_for(of(entry("a", 0, 7))), "bytes of all tensors: expected 8, got 7");
  EXPECT_EQ(message_for(of("")), "bytes of all tensors: expected 8, got 0");
  // In any order, and with empty ones anywhere between.
  const auto contents = parse(of(entry("a", 3, 8) + "," + entry("b", 3, 3) + "," +
                                 entry("c", 0, 3) + "," + entry("d", 8, 8)));
  EXPECT_EQ(contents.tensors.size(), 4U);
}

TEST(Safetensors, DamagedFilesAreReadOrRefused) {
  const std::string whole = written(some_tensors(), {{"k", "v"}});
  std::mt19937 rng(1);
  std::size_t refused = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string file = whole;
    for (auto count = 1 + rng() % 3; count > 0; --count) {
      file[rng() % file.size()] = static_cast<char>(rng());
    }
    try {
      std::size_t bytes = 0;
      for (const auto& [name, tensor] : parse(file).tensors) bytes += tensor.bytes.size();
      EXPECT_LE(bytes, file.size());
    } catch (const FileError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000U);
}

TEST(Safetensors, NamesWhatCannotBeWritten) {
  const auto message = [](const TensorBytesByName& tensors, const Metadata& metadata = {}) {
    std::ostringstream out;
    const std::string text =
        message_of<InvalidArgument>([&] { write_safetensors(out, tensors, metadata); });
    EXPECT_EQ(out.str(), "");
    return text;
  };
  const std::size_t huge = std::size_t{1} << 63U;
  EXPECT_EQ(message({{"t", {Dtype::U8, {4}, three}}}),
            "tensor \"t\" to write: expected 4 bytes for its shape, got 3");
  EXPECT_EQ(message({{"t", {Dtype::F32, {huge}, three}}}),
            "tensor \"t\" to write: expected a shape that fits into memory, got 3");
  EXPECT_EQ(message({{"__metadata__", {Dtype::U8, {3}, three}}}),
            "name of a tensor to write: expected any but __metadata__, got __metadata__");
  const std::string utf8 =
      "names and metadata of tensors to write: expected UTF-8, got something else";
  EXPECT_EQ(message({{"\xFF", {Dtype::U8, {3}, three}}}), utf8);
  EXPECT_EQ(message({}, {{"k", "\xFF"}}), utf8);
  std::string long_text;
  long_text.resize(100'000'000, 'x');
  EXPECT_EQ(message({}, {{"k", long_text}}),
            "header of tensors to write, size in bytes: expected at most 100000000, got 100000032");
}

TEST(Safetensors, AFullDiskLeavesTheFileAsItWas) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  write_safetensors(path, some_tensors(), {});
  const std::string before = read_file(path);
  {
    const FileSizeLimit limit(100);
    EXPECT_THAT(message_of<FileError>([&] { write_safetensors(path, some_tensors(), {}); }),
                HasSubstr("File too large"));
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("a.safetensors"));
}

TEST(Safetensors, AStreamThatFailsIsAnError) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(message_of<FileError>([&] { write_safetensors(out, some_tensors(), {}); }),
            "stream of tensors: expected to take all bytes, got a failure");
}

TEST(Safetensors, NamesAFileThatIsNotThere) {
  EXPECT_THAT(message_of<FileError>([] { (void)SafetensorsFile("/none.safetensors"); }),
              HasSubstr("No such file"));
}

TEST(Safetensors, OpensTheReferencesFiles) {
  const auto folder = shared_data("golden/clip");
  if (!folder) GTEST_SKIP() << no_shared_data;
  std::size_t opened = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafetensorsFile file(entry.path().string());
    EXPECT_FALSE(file.tensors().empty());
    const SafetensorsContents copy = parse(written(file.tensors(), file.metadata()));
    EXPECT_EQ(copy.metadata, file.metadata());
    ++opened;
  }
  EXPECT_GE(opened, 4U);
  const SafetensorsFile io((*folder / "vit-tiny/io.safetensors").string());
  EXPECT_EQ(io.at("pixel_values").dtype, Dtype::F32);
  EXPECT_EQ(io.at("input_ids").shape.size(), 2U);
}

}  // namespace
}  // namespace unlearn::clip
