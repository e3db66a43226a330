// SPDX-License-Identifier: Apache-2.0
#include "unlearn/interop/xtensor_npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <xtensor/xtensor.hpp>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "numpy.hpp"
#include "temporary_directory.hpp"
#include "unlearn/core/matrix.hpp"

namespace unlearn {
namespace {

using testing::message_of;
using testing::numpy;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

std::string load_message(const std::string& path) {
  return message_of<FileError>([&] { (void)load_npy<float, 2>(path); });
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  numpy("np.save('" + path + "', np.arange(6, dtype=np.float32).reshape(2, 3) / 4)");
  const auto array = load_npy<float, 2>(path);
  EXPECT_EQ(array, (xt::xtensor<float, 2>{{0, 0.25F, 0.5F}, {0.75F, 1, 1.25F}}));
}

TEST(Npy, ReadsEveryVersionOfTheFormat) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  for (const std::string version : {"(1, 0)", "(2, 0)", "(3, 0)"}) {
    numpy("np.lib.format.write_array(open('" + path +
          "', 'wb'), np.array([3, -1], dtype=np.int32), version=" + version + ")");
    EXPECT_EQ((load_npy<std::int32_t, 1>(path)), (xt::xtensor<std::int32_t, 1>{3, -1})) << version;
  }
}

TEST(Npy, ReadsALongHeader) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  // The length's low byte is above 127.
  numpy("np.lib.format.write_array(open('" + path +
        "', 'wb'), np.ones((1,) * 25, dtype=np.uint8), version=(1, 0))");
  EXPECT_GE(static_cast<unsigned char>(read_file(path)[8]), 128);
  EXPECT_EQ((load_npy<std::uint8_t, 25>(path)).flat(0), 1);
}

TEST(Npy, WritesWhatNumpyReads) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  save_npy(path, xt::xtensor<double, 3>{{{1, 2}, {3, 4.5}}});
  EXPECT_EQ(numpy("a = np.load('" + path + "'); print(a.dtype, a.shape, a.tolist())"),
            "float64 (1, 2, 2) [[[1.0, 2.0], [3.0, 4.5]]]\n");
}

TEST(Npy, WritesEigenMatrices) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  MatrixOf<std::int8_t> noise(2, 2);
  noise << 1, -8, 0, 7;
  save_npy(path, noise);
  EXPECT_EQ((load_npy<std::int8_t, 2>(path)), (xt::xtensor<std::int8_t, 2>{{1, -8}, {0, 7}}));
}

TEST(Npy, EmptyArraysComeBack) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  save_npy(path, xt::xtensor<float, 2>(std::array<std::size_t, 2>{0, 5}));
  EXPECT_EQ((load_npy<float, 2>(path).shape()), (std::array<std::size_t, 2>{0, 5}));
}

TEST(Npy, NamesWhatIsWrongWithAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  EXPECT_THAT(load_message(path), ::testing::HasSubstr("No such file"));

  write_file(path, "GIF89a..........");
  EXPECT_EQ(load_message(path), "file '" + path +
                                    "', beginning: expected NumPy's magic bytes, got something "
                                    "else");
  write_file(path, "");
  EXPECT_EQ(load_message(path),
            "file '" + path + "', size: expected 8 more bytes, got the end of the file");

  save_npy(path, xt::xtensor<double, 2>{{1, 2}});
  EXPECT_EQ(load_message(path), "file '" + path + "', dtype: expected <f4, got <f8");
  save_npy(path, xt::xtensor<float, 1>{1, 2});
  EXPECT_EQ(load_message(path), "file '" + path + "', number of dimensions: expected 2, got 1");
  numpy("np.save('" + path + "', np.asfortranarray(np.ones((2, 3), dtype=np.float32)))");
  EXPECT_EQ(load_message(path),
            "file '" + path + "', order of the elements: expected C order, got Fortran order");
}

TEST(Npy, AFileOfAnotherLengthIsAnError) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  save_npy(path, xt::xtensor<float, 2>{{1, 2}});
  const std::string whole = read_file(path);
  write_file(path, whole + "x");
  EXPECT_EQ(load_message(path),
            "file '" + path + "', size of the elements in bytes: expected 8, got 9");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(path, whole.substr(0, size));
    EXPECT_THROW((void)(load_npy<float, 2>(path)), FileError) << size;
  }
}

/// A version 1 file with this dictionary and no elements.
std::string with_header(const std::string& dictionary) {
  const std::string header = dictionary + "\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
}

TEST(Npy, AHostileHeaderTakesNoMemory) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  for (const std::string shape :
       {"(1099511627776, 1)", "(4611686018427387904, 8)", "(99999999999999999999999, 1)", "(-1, 1)",
        "(99999999999999999999999, 0)", "(x, 1)", "(1, 1", "(,)"}) {
    write_file(path,
               with_header("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"));
    EXPECT_THROW((void)(load_npy<float, 2>(path)), FileError) << shape;
  }
  for (const std::string text :
       {"", "{", "}", "nonsense", "{'descr': '<f4', }",
        "{'descr': '<f4', 'fortran_order': False, 'shape'}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 1), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }",
        "{'descr': 'O', 'fortran_order': False, 'shape': (1, 1), }"}) {
    write_file(path, with_header(text));
    EXPECT_THROW((void)(load_npy<float, 2>(path)), FileError) << text;
  }
  write_file(path, std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12));
  EXPECT_EQ(load_message(path),
            "file '" + path + "', length of the header: expected 1 to 10000, got 2147483647");
  write_file(path, std::string("\x93NUMPY\x09\x00\x01\x00\n", 11));
  EXPECT_EQ(load_message(path), "file '" + path + "', format version: expected 1 to 3, got 9");
}

TEST(Npy, AFullDiskLeavesTheOldFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
  save_npy(path, xt::xtensor<float, 2>{{1, 2}});
  const std::string before = read_file(path);
  const xt::xtensor<float, 2> large(std::array<std::size_t, 2>{1000, 1000}, 1.0F);
  {
    const testing::FileSizeLimit limit(4096);
    EXPECT_THROW(save_npy(path, large), FileError);
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(testing::names_in(directory.path()), std::set<std::string>{"a.npy"});
}

}  // namespace
}  // namespace unlearn
