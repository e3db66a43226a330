// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
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

// The .npy format (NumPy Enhancement Proposal 1): "\x93NUMPY", the version in two bytes, the length
// of the header (two bytes in version 1, four in versions 2 and 3), the header (a Python
// dictionary, spaces and a newline), and then the elements. NumPy pads the header so that the
// elements begin at a multiple of 64 bytes.

/// NumPy's name of the element type `T` in a file: "|i1", "<i4" or "<f4".
template <class T>
inline constexpr std::string_view npy_dtype;
/// int8.
template <>
inline constexpr std::string_view npy_dtype<std::int8_t> = "|i1";
/// int32, little-endian.
template <>
inline constexpr std::string_view npy_dtype<std::int32_t> = "<i4";
/// Single precision, little-endian.
template <>
inline constexpr std::string_view npy_dtype<float> = "<f4";

/// NumPy itself refuses longer headers, in bytes.
inline constexpr std::size_t npy_longest_header = 10'000;

/// The bytes at the beginning of a .npy file that hold the magic bytes and the version.
inline constexpr std::size_t npy_start_size = 8;

namespace detail {

inline constexpr std::string_view npy_magic = "\x93NUMPY";
inline constexpr std::string_view npy_version_1_0{"\x01\x00", 2};
inline constexpr std::size_t npy_alignment = 64;

/// Writes a · b to `product`.
/// @returns whether it fits; if not, `product` is of no use
[[nodiscard]] inline bool multiply(std::size_t a, std::size_t b, std::size_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

/// Removes `before`, the text up to `after`, and `after` from the front of `rest`.
/// @returns the text between the two
/// @throws FileError when `rest` does not begin with `before`, or `after` does not follow
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

}  // namespace detail

/// The version of a .npy file's format. Versions 1 to 3 exist.
struct NpyVersion {
  int major = 1;  ///< 1, 2 or 3
  int minor = 0;  ///< always 0 so far

  /// How many bytes hold the length of the header.
  [[nodiscard]] std::size_t length_size() const { return major == 1 ? 2 : 4; }

  /// Whether both numbers are equal.
  friend bool operator==(const NpyVersion&, const NpyVersion&) = default;
};

/// The header of a .npy file, split into its three fields. The texts refer to the parsed bytes.
struct NpyHeader {
  std::string_view dtype{};    ///< NumPy's name of the element type, such as "<f4"
  bool fortran_order = false;  ///< whether the first index runs fastest
  std::string_view shape{};    ///< the extents, for parse_npy_shape(): "2, 3", "2," or ""
};

/// Reads the magic bytes and the version.
/// @param start the first `npy_start_size` bytes of the file, or more
/// @param path  the file, for messages
/// @throws FileError when `start` is shorter, or is not the beginning of a .npy file
[[nodiscard]] inline NpyVersion parse_npy_version(std::string_view start, const std::string& path) {
  require_in_file(start.size() >= npy_start_size && start.starts_with(detail::npy_magic), path,
                  "beginning", "NumPy's magic bytes", "something else");
  const auto number = [&](std::size_t i) { return int{static_cast<unsigned char>(start[i])}; };
  return {.major = number(detail::npy_magic.size()), .minor = number(detail::npy_magic.size() + 1)};
}

/// Reads the length of the header, an unsigned little-endian number.
/// @param bytes the `length_size()` bytes behind the version
/// @returns the bytes that the header takes; they follow these
[[nodiscard]] inline std::size_t parse_npy_length(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    length = length * 256 + static_cast<unsigned char>(bytes[i - 1]);
  }
  return length;
}

/// Reads the header of a file of any version, rank and order.
/// @param text the bytes of the header: a dictionary, spaces and a newline
/// @param path the file, for messages
/// @throws FileError unless the header is one that NumPy could have written
[[nodiscard]] inline NpyHeader parse_npy_header(std::string_view text, const std::string& path) {
  NpyHeader header{};
  header.dtype = detail::npy_field(text, path, "{'descr': '", "', ");
  const std::string_view order = detail::npy_field(text, path, "'fortran_order': ", ", ");
  header.shape = detail::npy_field(text, path, "'shape': (", "), }");
  header.fortran_order = order == "True";
  require_in_file(header.fortran_order || order == "False", path, "fortran_order", "True or False",
                  order);
  require_in_file(text.ends_with('\n') && text.find_first_not_of(' ') == text.size() - 1, path,
                  "end of the header", "spaces and a newline", text.substr(0, 80));
  return header;
}

/// Reads a tuple of numbers as NumPy writes it, without its parentheses: "2, 3", "2," or "".
/// @param text    the tuple
/// @param extents receives the numbers
/// @returns whether `text` is such a tuple and each number is in range
[[nodiscard]] inline bool parse_npy_shape(std::string_view text,
                                          std::vector<std::size_t>& extents) {
  extents.clear();
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (!parse_number(text.substr(0, comma), extents.emplace_back())) return false;
    text.remove_prefix(comma);
    if (text.empty()) return extents.size() > 1;  // "2" alone is not a tuple in Python
    if (text == ",") return extents.size() == 1;
    if (!text.starts_with(", ")) return false;
    text.remove_prefix(2);
  }
  return extents.empty();
}

/// The size of an array in bytes: the product of its extents and of `element_size`.
/// @returns nothing when the product, or a single extent, does not fit into memory
[[nodiscard]] inline std::optional<std::size_t> npy_bytes(std::span<const std::size_t> extents,
                                                          std::size_t element_size) {
  std::size_t size = 1;
  for (const std::size_t extent : extents) {
    if (extent > static_cast<std::size_t>(PTRDIFF_MAX)) return std::nullopt;
    if (!detail::multiply(size, extent, size)) return std::nullopt;
  }
  if (!detail::multiply(size, element_size, size)) return std::nullopt;
  return size;
}

/// The bytes that come before the elements in the .npy file of a [rows, columns] array of T:
/// format version 1.0, C order. They are the same as NumPy's.
template <class T>
[[nodiscard]] std::string npy_header(std::size_t rows, std::size_t columns) {
  static_assert(!npy_dtype<T>.empty(), "unlearn writes int8, int32 and float arrays");
  std::string header = "{'descr': '";
  header.append(npy_dtype<T>).append("', 'fortran_order': False, 'shape': (");
  header.append(number_text(rows)).append(", ").append(number_text(columns)).append("), }");
  const std::size_t unpadded = npy_start_size + 2 + header.size() + 1;
  const std::size_t beyond = unpadded % detail::npy_alignment;
  header.append((detail::npy_alignment - beyond) % detail::npy_alignment, ' ').append("\n");

  std::string bytes(detail::npy_magic);
  bytes.append(detail::npy_version_1_0);
  bytes.push_back(static_cast<char>(header.size() % 256));
  bytes.push_back(static_cast<char>(header.size() / 256));
  return bytes.append(header);
}

/// The elements of a .npy file that is in memory, without a copy: [rows, columns].
/// @param file the bytes of the whole file; they must outlive the view
/// @param path the file, for messages
/// @throws FileError unless it is a .npy file of version 1.0 that holds elements T in C order with
///         two dimensions, and is as long as its header says
template <class T>
[[nodiscard]] View<T, 2> npy_view(std::span<std::byte> file, const std::string& path) {
  using Element = std::remove_const_t<T>;
  std::string_view rest(reinterpret_cast<const char*>(file.data()),  // NOLINT(*-reinterpret-cast)
                        file.size());
  const NpyVersion npy = parse_npy_version(rest, path);
  require_in_file(npy == NpyVersion{}, path, "format version", "1.0",
                  number_text(npy.major) + "." + number_text(npy.minor));
  rest.remove_prefix(npy_start_size);
  const std::string_view length_field = rest.substr(0, npy.length_size());
  require_in_file(length_field.size() == npy.length_size(), path, "length of the header",
                  "two bytes", length_field.size());
  const std::size_t length = parse_npy_length(length_field);
  rest.remove_prefix(length_field.size());
  const std::size_t longest = std::min(rest.size(), npy_longest_header);
  require_in_file(length <= longest, path, "length of the header",
                  "at most " + number_text(longest), length);

  const NpyHeader header = parse_npy_header(rest.substr(0, length), path);
  require_in_file(header.dtype == npy_dtype<Element>, path, "dtype", npy_dtype<Element>,
                  header.dtype);
  require_in_file(!header.fortran_order, path, "fortran_order", "False", "True");
  std::vector<std::size_t> extents;
  require_in_file(parse_npy_shape(header.shape, extents) && extents.size() == 2, path, "shape",
                  "two numbers", header.shape);

  const std::size_t offset = npy_start_size + length_field.size() + length;
  const std::optional<std::size_t> bytes = npy_bytes(extents, sizeof(Element));
  std::size_t size = 0;
  const bool fits = bytes && !__builtin_add_overflow(*bytes, offset, &size);
  require_in_file(fits && size == file.size(), path, "size in bytes",
                  fits ? number_text(size) : "a shape that fits into memory", file.size());
  require_in_file(offset % alignof(Element) == 0, path, "offset of the elements",
                  "a multiple of " + number_text(alignof(Element)), offset);
  return {reinterpret_cast<T*>(file.data() + offset),  // NOLINT(*-reinterpret-cast)
          {extents[0], extents[1]}};
}

/// Produces the .npy file of a [rows, columns] array piece by piece.
/// @param array the array
/// @param put   put(bytes) is called with a span<const std::byte> for each piece, in order
template <class T, class Put>
void put_npy(View<const T, 2> array, const Put& put) {
  const std::string header = npy_header<T>(array.extent(0), array.extent(1));
  put(std::as_bytes(std::span(header)));
  put(std::as_bytes(array.flat()));
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
