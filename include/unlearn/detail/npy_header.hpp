// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/detail/checksum.hpp"
#include "unlearn/detail/file.hpp"
#include "unlearn/detail/number_text.hpp"

namespace unlearn::detail {

// The .npy format, version 1.0 (NumPy Enhancement Proposal 1), as far as NumPy itself writes it for
// a C-ordered array of rank 2: "\x93NUMPY", version, the header's length in two bytes, the header
// (a Python dictionary, spaces, a newline) up to a multiple of 64 bytes, then the elements.

/// How NumPy names the element type `T` in a file.
template <class T>
inline constexpr std::string_view npy_dtype;
template <>
inline constexpr std::string_view npy_dtype<std::int8_t> = "|i1";
template <>
inline constexpr std::string_view npy_dtype<std::int32_t> = "<i4";
template <>
inline constexpr std::string_view npy_dtype<float> = "<f4";

inline constexpr std::string_view npy_magic = "\x93NUMPY";
inline constexpr std::string_view npy_version{"\x01\x00", 2};
inline constexpr std::size_t npy_preamble = npy_magic.size() + npy_version.size() + 2;
inline constexpr std::size_t npy_alignment = 64;
inline constexpr std::size_t npy_longest_header = 10'000;  // NumPy's own limit

/// The product, or nothing when it does not fit.
/// @return whether it fits
[[nodiscard]] inline bool multiply(std::size_t a, std::size_t b, std::size_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

/// All bytes before the elements of a [rows, columns] array of T.
template <class T>
[[nodiscard]] std::string npy_header(std::size_t rows, std::size_t columns) {
  static_assert(!npy_dtype<T>.empty(), "unlearn writes int8, int32 and float arrays");
  std::string header = "{'descr': '";
  header.append(npy_dtype<T>).append("', 'fortran_order': False, 'shape': (");
  header.append(number_text(rows)).append(", ").append(number_text(columns)).append("), }");
  const std::size_t unpadded = npy_preamble + header.size() + 1;
  header.append((npy_alignment - unpadded % npy_alignment) % npy_alignment, ' ').append("\n");

  std::string bytes(npy_magic);
  bytes.append(npy_version);
  bytes.push_back(static_cast<char>(header.size() % 256));
  bytes.push_back(static_cast<char>(header.size() / 256));
  return bytes.append(header);
}

/// Takes `before`, then everything up to `after`, then `after` off the front of `rest`.
/// @return what stood between
/// @throws FileError when `rest` does not read like that
inline std::string_view npy_field(std::string_view& rest, const std::string& path,
                                  std::string_view before, std::string_view after) {
  const std::size_t end =
      rest.starts_with(before) ? rest.find(after, before.size()) : std::string_view::npos;
  require_in_file(end != std::string_view::npos, path, "header", "a dictionary as NumPy writes it",
                  rest.substr(0, 80));
  const std::string_view field = rest.substr(before.size(), end - before.size());
  rest.remove_prefix(end + after.size());
  return field;
}

/// The elements of a .npy file whose bytes are `file`, as a [rows, columns] view on them.
/// @throws FileError unless the file is a version 1.0 .npy file of T, rank 2, C order, and neither
///         shorter nor longer than its header says
template <class T>
[[nodiscard]] View<T, 2> npy_view(std::span<std::byte> file, const std::string& path) {
  using Element = std::remove_const_t<T>;
  std::string_view rest(reinterpret_cast<const char*>(file.data()),  // NOLINT(*-reinterpret-cast)
                        file.size());
  require_in_file(rest.size() >= npy_preamble && rest.starts_with(npy_magic), path, "beginning",
                  "NumPy's magic bytes", "something else");
  rest.remove_prefix(npy_magic.size());
  require_in_file(rest.starts_with(npy_version), path, "format version", "1.0",
                  number_text(int{rest[0]}) + "." + number_text(int{rest[1]}));
  rest.remove_prefix(npy_version.size());
  const std::size_t length =
      static_cast<unsigned char>(rest[0]) + 256U * static_cast<unsigned char>(rest[1]);
  rest.remove_prefix(2);
  const std::size_t longest = std::min(rest.size(), npy_longest_header);
  require_in_file(length <= longest, path, "length of the header",
                  "at most " + number_text(longest), length);
  rest = rest.substr(0, length);

  const std::string_view dtype = npy_field(rest, path, "{'descr': ", ", ");
  // Not "'" + ..., whose copy GCC 12 takes for one that overlaps.
  std::string expected_dtype(1, '\'');
  expected_dtype += npy_dtype<Element>;
  expected_dtype += '\'';
  require_in_file(dtype == expected_dtype, path, "dtype", npy_dtype<Element>, dtype);
  const std::string_view fortran_order = npy_field(rest, path, "'fortran_order': ", ", ");
  require_in_file(fortran_order == "False", path, "fortran_order", "False", fortran_order);
  const std::string_view shape = npy_field(rest, path, "'shape': (", "), }");
  require_in_file(rest.ends_with('\n') && rest.find_first_not_of(' ') == rest.size() - 1, path,
                  "end of the header", "spaces and a newline", rest.substr(0, 80));

  std::size_t rows = 0;
  std::size_t columns = 0;
  const std::size_t comma = std::min(shape.find(", "), shape.size());
  require_in_file(parse_number(shape.substr(0, comma), rows) && comma < shape.size() &&
                      parse_number(shape.substr(comma + 2), columns),
                  path, "shape", "two numbers", shape);

  const std::size_t offset = npy_preamble + length;
  std::size_t size = 0;
  const bool fits = multiply(rows, columns, size) && multiply(size, sizeof(Element), size) &&
                    !__builtin_add_overflow(size, offset, &size);
  require_in_file(fits && size == file.size(), path, "size in bytes",
                  fits ? number_text(size) : "a shape that fits into memory", file.size());
  require_in_file(offset % alignof(Element) == 0, path, "offset of the elements",
                  "a multiple of " + number_text(alignof(Element)), offset);
  return {reinterpret_cast<T*>(file.data() + offset),  // NOLINT(*-reinterpret-cast)
          {rows, columns}};
}

}  // namespace unlearn::detail
