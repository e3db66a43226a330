// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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

/// Reads the array in a `.npy` file that NumPy or xtensor wrote: versions 1 to 3, C order.
///
/// Memory is taken only after the size of the file has confirmed what its header says. xtensor's
/// own reader does not check that, and it reads an extent that is not a number as 0.
/// @tparam T    the element type
/// @tparam Rank the number of dimensions
/// @param path  the file
/// @throws FileError when the file is missing or is not a .npy file; when it holds elements of
///         another type, another number of dimensions or Fortran order; or when it is shorter or
///         longer than its header says
template <class T, std::size_t Rank>
[[nodiscard]] xt::xtensor<T, Rank> load_npy(const std::string& path) {
  const FileDescriptor file(path, O_RDONLY);
  const auto next = [&](std::size_t count) {
    std::string bytes(count, ' ');
    read_exactly(file, path, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  };
  const NpyVersion npy = parse_npy_version(next(npy_start_size), path);
  require_in_file(npy.major >= 1 && npy.major <= 3, path, "format version", "1 to 3", npy.major);
  const std::size_t length = parse_npy_length(next(npy.length_size()));
  require_in_file(length > 0 && length <= npy_longest_header, path, "length of the header",
                  "1 to " + std::to_string(npy_longest_header), length);
  const std::string text = next(length);
  const NpyHeader header = parse_npy_header(text, path);

  const std::string dtype = xt::detail::build_typestring<T>();
  require_in_file(header.dtype == dtype, path, "dtype", dtype, header.dtype);
  std::vector<std::size_t> extents;
  require_in_file(parse_npy_shape(header.shape, extents), path, "shape", "a tuple of numbers",
                  header.shape.substr(0, 80));
  require_in_file(extents.size() == Rank, path, "number of dimensions", Rank, extents.size());
  require_in_file(!header.fortran_order || Rank < 2, path, "order of the elements", "C order",
                  "Fortran order");
  const std::optional<std::size_t> bytes = npy_bytes(extents, sizeof(T));
  require_in_file(bytes.has_value(), path, "shape", "one that fits into memory",
                  header.shape.substr(0, 80));
  const std::uint64_t offset = npy_start_size + npy.length_size() + length;
  const std::uint64_t behind_header = file_size(file, path) - offset;
  require_in_file(behind_header == *bytes, path, "size of the elements in bytes", *bytes,
                  behind_header);

  std::array<std::size_t, Rank> shape{};
  std::ranges::copy(extents, shape.begin());
  xt::xtensor<T, Rank> array(shape);
  read_exactly(file, path, std::as_writable_bytes(std::span(array.data(), array.size())));
  return array;
}

/// Writes an array to a `.npy` file. The file appears complete or not at all.
/// @param path  the file; an existing one is replaced in one step
/// @param array a View, an Eigen matrix or an xtensor container
/// @throws FileError when the file cannot be written; an existing file is then unchanged
template <Viewable C>
void save_npy(const std::string& path, const C& array) {
  AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  xt::detail::dump_npy_stream(out, as_xtensor(array));
  file.commit();
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
