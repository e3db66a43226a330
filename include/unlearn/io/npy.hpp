// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn {

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

namespace detail {

/// The product, or nothing when it does not fit.
/// @return whether it fits
[[nodiscard]] inline bool multiply(std::size_t a, std::size_t b, std::size_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

}  // namespace detail

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

/// The values in a header's dictionary, as they stand there.
struct NpyDictionary {
  std::string_view dtype;          ///< between its quotes
  std::string_view fortran_order;  ///< True or False
  std::string_view shape;          ///< between its parentheses
};

/// @throws FileError unless `header` is a dictionary as NumPy writes it, spaces and a newline
inline NpyDictionary npy_dictionary(std::string_view header, const std::string& path) {
  NpyDictionary dictionary{};
  dictionary.dtype = npy_field(header, path, "{'descr': '", "', ");
  dictionary.fortran_order = npy_field(header, path, "'fortran_order': ", ", ");
  dictionary.shape = npy_field(header, path, "'shape': (", "), }");
  require_in_file(header.ends_with('\n') && header.find_first_not_of(' ') == header.size() - 1,
                  path, "end of the header", "spaces and a newline", header.substr(0, 80));
  return dictionary;
}

/// Reads a tuple of numbers as NumPy writes it, without its parentheses: "2, 3", "2," or "".
/// @return whether it was one, and each number in range
[[nodiscard]] inline bool parse_npy_shape(std::string_view text,
                                          std::vector<std::size_t>& extents) {
  extents.clear();
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (!parse_number(text.substr(0, comma), extents.emplace_back())) return false;
    text.remove_prefix(comma);
    if (text.empty()) return extents.size() > 1;  // "2" alone is no tuple
    if (text == ",") return extents.size() == 1;
    if (!text.starts_with(", ")) return false;
    text.remove_prefix(2);
  }
  return extents.empty();
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

  const NpyDictionary dictionary = npy_dictionary(rest, path);
  require_in_file(dictionary.dtype == npy_dtype<Element>, path, "dtype", npy_dtype<Element>,
                  dictionary.dtype);
  require_in_file(dictionary.fortran_order == "False", path, "fortran_order", "False",
                  dictionary.fortran_order);
  std::vector<std::size_t> extents;
  require_in_file(parse_npy_shape(dictionary.shape, extents) && extents.size() == 2, path, "shape",
                  "two numbers", dictionary.shape);
  const std::size_t rows = extents[0];
  const std::size_t columns = extents[1];

  const std::size_t offset = npy_preamble + length;
  std::size_t size = 0;
  const bool fits = detail::multiply(rows, columns, size) &&
                    detail::multiply(size, sizeof(Element), size) &&
                    !__builtin_add_overflow(size, offset, &size);
  require_in_file(fits && size == file.size(), path, "size in bytes",
                  fits ? number_text(size) : "a shape that fits into memory", file.size());
  require_in_file(offset % alignof(Element) == 0, path, "offset of the elements",
                  "a multiple of " + number_text(alignof(Element)), offset);
  return {reinterpret_cast<T*>(file.data() + offset),  // NOLINT(*-reinterpret-cast)
          {rows, columns}};
}

/// Calls put(bytes) for consecutive pieces of the .npy file of a [rows, columns] array.
template <class T, class Put>
void put_npy(View<const T, 2> array, const Put& put) {
  const std::string header = npy_header<T>(array.extent(0), array.extent(1));
  put(std::as_bytes(std::span(header)));
  put(std::as_bytes(array.flat()));
}

}  // namespace unlearn
