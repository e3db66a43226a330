// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace unlearn::pairs {

/// SHA-256 (FIPS 180-4) of bytes, as 64 hexadecimal digits in lower case.
[[nodiscard]] std::string sha256_of(std::span<const std::byte> bytes);

/// SHA-256 of what stands in a file, as `sha256sum` prints it. Reads it piece by piece, whatever
/// its size.
/// @throws FileError when it cannot be read
[[nodiscard]] std::string sha256_of_file(const std::string& path);

}  // namespace unlearn::pairs
