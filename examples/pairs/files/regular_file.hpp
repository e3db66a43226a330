// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace unlearn::pairs {

/// For a file that somebody else has made: a pipe in its place would be waited for without end.
/// @throws FileError unless `path` is a regular file, or a link to one
void require_regular_file(const std::string& path);

}  // namespace unlearn::pairs
