// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <vector>
#include <xtensor/xnpy.hpp>
#include <xtensor/xtensor.hpp>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/interop/xtensor.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/npy.hpp"

namespace unlearn {
namespace detail {

/// What a .npy file says of itself.
struct NpyHeader {
  std::string dtype{};
  bool fortran_order = false;
  std::vector<std::size_t> shape{};
  std::size_t offset = 0;  ///< of the elements in the file
};

/// Reads as many bytes as `bytes` has, or ends with an error.
inline void read_exactly(const FileDescriptor& file, const std::string& path,
                         std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto got = ::read(file.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(path, "to read " + std::to_string(bytes.size()) + " bytes");
    require_in_file(got > 0, path, "size", std::to_string(bytes.size()) + " more bytes",
                    "the end of the file");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

/// Not by xtensor, whose reader takes the header's word for every size, and reads an extent that is
/// no number as 0.
inline NpyHeader read_npy_header(const FileDescriptor& file, const std::string& path) {
  std::array<unsigned char, 8> start{};
  read_exactly(file, path, std::as_writable_bytes(std::span(start)));
  require_in_file(
      std::equal(npy_magic.begin(), npy_magic.end(), start.begin(),
                 [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; }),
      path, "beginning", "NumPy's magic bytes", "something else");
  const int version = start[6];
  require_in_file(version >= 1 && version <= 3, path, "format version", "1 to 3", version);

  std::array<unsigned char, 4> length_bytes{};  // little-endian; two of them in version 1
  const std::size_t width = version == 1 ? 2 : 4;
  read_exactly(file, path, std::as_writable_bytes(std::span(length_bytes).first(width)));
  std::size_t length = 0;
  for (std::size_t i = width; i > 0; --i) length = length * 256 + length_bytes[i - 1];
  require_in_file(length > 0 && length <= npy_longest_header, path, "length of the header",
                  "1 to " + std::to_string(npy_longest_header), length);

  std::string text(length, ' ');
  read_exactly(file, path, std::as_writable_bytes(std::span(text)));
  const NpyDictionary dictionary = npy_dictionary(text, path);
  const bool fortran_order = dictionary.fortran_order == "True";
  require_in_file(fortran_order || dictionary.fortran_order == "False", path, "fortran_order",
                  "True or False", dictionary.fortran_order);
  NpyHeader header{.dtype = std::string(dictionary.dtype),
                   .fortran_order = fortran_order,
                   .offset = start.size() + width + length};
  require_in_file(parse_npy_shape(dictionary.shape, header.shape), path, "shape",
                  "a tuple of numbers", dictionary.shape.substr(0, 80));
  return header;
}

/// The bytes of `shape` elements of `item` bytes each.
inline std::size_t npy_bytes(const std::vector<std::size_t>& shape, std::size_t item,
                             const std::string& path) {
  std::size_t size = item;
  for (const std::size_t extent : shape) {
    const bool fits = extent <= static_cast<std::size_t>(PTRDIFF_MAX) &&
                      !__builtin_mul_overflow(size, extent, &size);
    require_in_file(fits, path, "shape", "one that fits into memory",
                    "extent " + std::to_string(extent));
  }
  return size;
}

}  // namespace detail

/// Reads a `.npy` file of element type T, `Rank` dimensions and C order, as NumPy and xtensor write
/// them.
///
/// No memory is taken before the file's size has confirmed what its header says.
/// @throws FileError when the file is missing, is no .npy file, holds other elements, another rank
///         or Fortran order, or is shorter or longer than its header says.
template <class T, std::size_t Rank>
[[nodiscard]] xt::xtensor<T, Rank> load_npy(const std::string& path) {
  const FileDescriptor file(path, O_RDONLY);
  const detail::NpyHeader header = detail::read_npy_header(file, path);
  const std::string dtype = xt::detail::build_typestring<T>();
  require_in_file(header.dtype == dtype, path, "dtype", dtype, header.dtype);
  require_in_file(header.shape.size() == Rank, path, "number of dimensions", Rank,
                  header.shape.size());
  require_in_file(!header.fortran_order || Rank < 2, path, "order of the elements", "C order",
                  "Fortran order");
  const std::size_t bytes = detail::npy_bytes(header.shape, sizeof(T), path);
  const std::uint64_t behind_header = file_size(file, path) - header.offset;
  require_in_file(behind_header == bytes, path, "size of the elements in bytes", bytes,
                  behind_header);

  std::array<std::size_t, Rank> shape{};
  std::ranges::copy(header.shape, shape.begin());
  xt::xtensor<T, Rank> array(shape);
  detail::read_exactly(file, path, std::as_writable_bytes(std::span(array.data(), array.size())));
  return array;
}

/// Writes an array to a `.npy` file, which is there complete or not at all.
/// @throws FileError when it cannot be written; what stood at `path` before is then still there.
template <Viewable C>
void save_npy(const std::string& path, const C& array) {
  AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  xt::detail::dump_npy_stream(out, as_xtensor(array));
  file.commit();
}

}  // namespace unlearn
