// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "message_of.hpp"
#include "numpy.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::detail {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

/// The view on a copy of `file` that lives as long as the program.
template <class T>
View<T, 2> view_of(std::string& file) {
  return npy_view<T>(std::as_writable_bytes(std::span(file)), "a.npy");
}

std::string refusal(std::string file) {
  return message_of<FileError>([&] { (void)view_of<std::int8_t>(file); });
}

std::string file_of(const std::string& dictionary, std::size_t data) {
  std::string header = dictionary;
  header.resize(117, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         std::string(data, '\1');
}

std::string good_file() {
  return file_of("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }", 6);
}

TEST(NpyHeader, IsWhatNumPyWrites) {
  const testing::TemporaryDirectory directory;
  const auto saved = [&](const std::string& array) {
    testing::numpy("np.save('" + directory / "a.npy" + "', " + array + ")");
    return testing::read_file(directory / "a.npy");
  };
  EXPECT_EQ(saved("np.zeros((2, 3), np.int8)"), npy_header<std::int8_t>(2, 3) + std::string(6, 0));
  EXPECT_EQ(saved("np.zeros((11, 0), np.int32)"), npy_header<std::int32_t>(11, 0));
  EXPECT_EQ(saved("np.zeros((0, 123456), np.float32)"), npy_header<float>(0, 123456));
}

TEST(NpyHeader, PutsTheElementsAtAMultipleOf64) {
  for (std::size_t rows = 1; rows < 10'000'000'000'000'000; rows *= 10) {
    for (std::size_t columns = 1; columns < 10'000'000'000'000'000; columns *= 10) {
      const std::string header = npy_header<float>(rows, columns);
      ASSERT_EQ(header.size() % 64, 0U);
      ASSERT_EQ(header.back(), '\n');
      ASSERT_EQ(
          static_cast<unsigned char>(header[8]) + 256U * static_cast<unsigned char>(header[9]),
          header.size() - 10);
    }
  }
}

TEST(NpyView, ReadsWhatNumPyWrote) {
  const testing::TemporaryDirectory directory;
  testing::numpy("np.save('" + directory / "a.npy" +
                 "', np.array([[1.5, -2], [0, 3e38]], np.float32))");
  std::string file = testing::read_file(directory / "a.npy");
  const View<float, 2> view = view_of<float>(file);
  ASSERT_EQ(view.extents(), (std::array<std::size_t, 2>{2, 2}));
  EXPECT_THAT(view.flat(), ::testing::ElementsAre(1.5F, -2.0F, 0.0F, 3e38F));
}

TEST(NpyView, AcceptsTheFileThatTheRefusedOnesDifferFrom) {
  std::string file = good_file();
  EXPECT_EQ(view_of<std::int8_t>(file).extents(), (std::array<std::size_t, 2>{2, 3}));
  EXPECT_EQ(view_of<const std::int8_t>(file).data(),
            reinterpret_cast<const std::int8_t*>(file.data() + 128));
}

TEST(NpyView, RefusesEveryOtherLength) {
  const std::string good = good_file();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("file 'a.npy'")) << size;
  }
  EXPECT_THAT(refusal(good + '\0'), HasSubstr("size in bytes: expected 134, got 135"));
  EXPECT_THAT(refusal(good.substr(0, 133)), HasSubstr("size in bytes: expected 134, got 133"));
}

TEST(NpyView, NamesWhatItExpected) {
  const auto refused = [](const std::string& dictionary) {
    return refusal(file_of(dictionary, 6));
  };
  EXPECT_THAT(refused("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }"),
              HasSubstr("dtype: expected |i1, got <i2"));
  EXPECT_THAT(refused("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }"),
              HasSubstr("fortran_order: expected False, got True"));
  for (const char* shape :
       {"6,", "", "1, 2, 3", "2, x", "-2, -3", "2,3", "99999999999999999999, 1"}) {
    EXPECT_THAT(refused("{'descr': '|i1', 'fortran_order': False, 'shape': (" + std::string(shape) +
                        "), }"),
                HasSubstr("shape: expected two numbers, got " + std::string(shape)));
  }
  EXPECT_THAT(refused("{'shape': (2, 3), 'descr': '|i1', 'fortran_order': False}"),
              HasSubstr("header: expected a dictionary as NumPy writes it, got {'shape'"));
  EXPECT_THAT(refused("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), } #"),
              HasSubstr("end of the header: expected spaces and a newline, got  #"));
  std::string other = good_file();
  other[0] = 'x';
  EXPECT_THAT(refusal(other), HasSubstr("beginning: expected NumPy's magic bytes"));
  other = good_file();
  other[6] = 2;
  EXPECT_THAT(refusal(other), HasSubstr("format version: expected 1.0, got 2.0"));
  other = good_file();
  other[9] = 0x40;
  EXPECT_THAT(refusal(other), HasSubstr("length of the header: expected at most 124, got 16502"));
}

TEST(NpyShape, IsATupleAsNumPyWritesIt) {
  using Extents = std::vector<std::size_t>;
  const auto parsed = [](std::string_view text) -> std::optional<Extents> {
    Extents extents{7};
    if (!parse_npy_shape(text, extents)) return std::nullopt;
    return extents;
  };
  EXPECT_EQ(parsed(""), Extents{});
  EXPECT_EQ(parsed("2,"), Extents{2});
  EXPECT_EQ(parsed("2, 3"), (Extents{2, 3}));
  EXPECT_EQ(parsed("18446744073709551615, 0, 5"), (Extents{SIZE_MAX, 0, 5}));
  for (const char* text : {" ", ",", "2", "2, ", "2, 3,", "2, 3, ", "2,3", "2,  3", ", 2", "2,, 3",
                           "-2, 3", "+2, 3", "2, x", "2L, 3L", "18446744073709551616, 1"}) {
    EXPECT_EQ(parsed(text), std::nullopt) << text;
  }
}

TEST(NpyVersion, IsReadFromTheFirstEightBytes) {
  EXPECT_EQ(parse_npy_version(std::string("\x93NUMPY\x03\x00{", 9), "a.npy"),
            (NpyVersion{.major = 3, .minor = 0}));
  EXPECT_EQ(parse_npy_version(std::string("\x93NUMPY\xff\x01", 8), "a.npy"),
            (NpyVersion{.major = 255, .minor = 1}));
  for (const char* start : {"", "\x93NUMPY", "\x93NUMPX\x01\x01"}) {
    EXPECT_THAT(message_of<FileError>([&] { (void)parse_npy_version(start, "a.npy"); }),
                HasSubstr("beginning: expected NumPy's magic bytes"));
  }
}

TEST(NpyVersion, SaysHowTheLengthOfTheHeaderIsWritten) {
  EXPECT_EQ(NpyVersion{.major = 1}.length_size(), 2U);
  EXPECT_EQ(NpyVersion{.major = 2}.length_size(), 4U);
  EXPECT_EQ(NpyVersion{.major = 3}.length_size(), 4U);
  EXPECT_EQ(parse_npy_length("\x01\xfe"), 0xfe01U);
  EXPECT_EQ(parse_npy_length("\x04\x03\x02\xff"), 0xff020304U);
}

TEST(NpyHeader, IsReadForAnyRankAndOrder) {
  const std::string text = "{'descr': '<f8', 'fortran_order': True, 'shape': (4, 2, 3), }  \n";
  const NpyHeader header = parse_npy_header(text, "a.npy");
  EXPECT_EQ(header.dtype, "<f8");
  EXPECT_TRUE(header.fortran_order);
  EXPECT_EQ(header.shape, "4, 2, 3");
  const NpyHeader scalar =
      parse_npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n", "a.npy");
  EXPECT_FALSE(scalar.fortran_order);
  EXPECT_EQ(scalar.shape, "");
  EXPECT_THAT(message_of<FileError>([] {
                (void)parse_npy_header("{'descr': '|u1', 'fortran_order': 0, 'shape': (), }\n",
                                       "a.npy");
              }),
              HasSubstr("fortran_order: expected True or False, got 0"));
}

TEST(NpyBytes, AreTheProductIfItFits) {
  const auto bytes = [](std::vector<std::size_t> extents, std::size_t element_size) {
    return npy_bytes(extents, element_size);
  };
  EXPECT_EQ(bytes({}, 8), 8U);
  EXPECT_EQ(bytes({2, 3, 5}, 4), 120U);
  EXPECT_EQ(bytes({std::size_t{1} << 62U, 0}, 8), 0U);
  EXPECT_EQ(bytes({std::size_t{1} << 62U, 1}, 8), std::nullopt);
  EXPECT_EQ(bytes({std::size_t{1} << 32U, std::size_t{1} << 32U}, 1), std::nullopt);
  EXPECT_EQ(bytes({std::size_t{1} << 63U, 0}, 1), std::nullopt);
}

TEST(NpyView, RefusesAHeaderThatIsLongerThanNumPyReads) {
  std::string header = "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(10'101, ' ');
  header += '\n';
  std::string file = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() % 256) +
                     static_cast<char>(header.size() / 256) + header + std::string(6, '\1');
  EXPECT_THAT(refusal(file), HasSubstr("length of the header: expected at most 10000, got 10102"));
}

TEST(NpyView, RefusesProductsThatOverflow) {
  for (const char* shape :
       {"4294967296, 4294967296", "18446744073709551615, 1", "9223372036854775809, 2"}) {
    EXPECT_THAT(refusal(file_of("{'descr': '|i1', 'fortran_order': False, 'shape': (" +
                                    std::string(shape) + "), }",
                                0)),
                HasSubstr("size in bytes: expected a shape that fits into memory, got 128"))
        << shape;
  }
}

TEST(NpyView, RefusesElementsThatAreNotAligned) {
  const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }\n";
  std::string file = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(dictionary.size()) +
                     '\0' + dictionary + std::string(4, '\0');
  ASSERT_NE((file.size() - 4) % 4, 0U);
  EXPECT_THAT(message_of<FileError>([&] { (void)view_of<float>(file); }),
              HasSubstr("offset of the elements: expected a multiple of 4, got 70"));
}

}  // namespace
}  // namespace unlearn::detail
