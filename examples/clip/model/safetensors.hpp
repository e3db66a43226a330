// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/io/file_mapping.hpp"

namespace unlearn::clip {

// The safetensors format (Hugging Face, version 0.4): the header's length N in 8 bytes, N bytes of
// JSON (name -> dtype, shape, data_offsets; and "__metadata__", strings by name), spaces behind it
// allowed, then the elements, little-endian and C-ordered, one tensor after the other.

/// The type of a tensor's elements.
enum class Dtype : std::uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL };

/// Bytes of one element.
[[nodiscard]] std::size_t size_of(Dtype dtype);
/// As the format writes it: "F32".
[[nodiscard]] std::string_view name_of(Dtype dtype);

/// A C-ordered tensor somewhere in memory.
struct TensorBytes {
  Dtype dtype;
  std::vector<std::size_t> shape;    ///< empty for a single number
  std::span<const std::byte> bytes;  ///< the product of the shape times size_of(dtype)
};

using TensorBytesByName = std::map<std::string, TensorBytes, std::less<>>;
using Metadata = std::map<std::string, std::string>;

/// What a safetensors file holds.
struct SafetensorsContents {
  TensorBytesByName tensors;
  Metadata metadata;
};

/// Finds the tensors in the bytes of a safetensors file; the elements are not copied.
///
/// Takes memory in proportion to the header, which has at most 100 MB; no length or offset in it is
/// believed before it is checked.
/// @param bytes  all of the file; must outlive the result. Tensors may be less aligned in it than
///               their elements are in memory: written by write_safetensors, they are aligned
///               relative to the beginning.
/// @param source the file's name, for messages
/// @throws FileError when it is not exactly what the format asks for: a name twice, a type not in
///         Dtype, a size that does not fit the shape, holes or overlaps between the tensors, bytes
///         behind the last one
[[nodiscard]] SafetensorsContents parse_safetensors(std::span<const std::byte> bytes,
                                                    const std::string& source);

/// Writes tensors as one safetensors file, the same bytes for the same tensors: wide element types
/// first, then by name, so that each tensor is aligned to its elements.
/// @throws InvalidArgument when the bytes do not fit a shape, a name is "__metadata__" or no UTF-8,
///         or the header would have more than 100 MB; nothing is written then
/// @throws FileError when the stream does not take it
void write_safetensors(std::ostream& out, const TensorBytesByName& tensors,
                       const Metadata& metadata);

/// The same to a file, which is there complete and durable afterwards, or as it was before.
/// @throws InvalidArgument as above
/// @throws FileError when it cannot be written
void write_safetensors(const std::string& path, const TensorBytesByName& tensors,
                       const Metadata& metadata);

/// A safetensors file in memory by mapping: opening it reads the header alone. The file must not be
/// cut shorter while this lives.
class SafetensorsFile {
 public:
  /// @throws FileError when the file cannot be opened, and as parse_safetensors()
  explicit SafetensorsFile(const std::string& path)
      : file_(path), contents_(parse_safetensors(file_.bytes(), path)) {}

  [[nodiscard]] const std::string& path() const { return file_.path(); }

  /// All tensors; their bytes are valid as long as this lives, also after it has been moved.
  [[nodiscard]] const TensorBytesByName& tensors() const { return contents_.tensors; }

  /// @throws FileError when there is no such tensor
  [[nodiscard]] const TensorBytes& at(std::string_view name) const;

  [[nodiscard]] const Metadata& metadata() const { return contents_.metadata; }

 private:
  FileMapping file_;
  SafetensorsContents contents_;
};

}  // namespace unlearn::clip
