// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace unlearn::pairs {

/// Call this before opening a file from an unknown source: opening a pipe could wait forever.
/// @throws FileError unless `path` is a regular file, or a link to one
void require_regular_file(const std::string& path);

}  // namespace unlearn::pairs
