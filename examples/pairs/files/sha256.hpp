// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace unlearn::pairs {

/// SHA-256 (FIPS 180-4) of bytes.
/// @returns 64 hexadecimal digits in lower case
/// @throws Error when OpenSSL cannot compute it
[[nodiscard]] std::string sha256_of(std::span<const std::byte> bytes);

/// SHA-256 of a file, as `sha256sum` prints it. The file may be large: it is read piece by piece.
/// @returns 64 hexadecimal digits in lower case
/// @throws FileError when the file cannot be read
[[nodiscard]] std::string sha256_of_file(const std::string& path);

}  // namespace unlearn::pairs
