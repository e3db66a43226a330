// SPDX-License-Identifier: Apache-2.0
#include "clip/regular_file.hpp"

#include <sys/stat.h>

#include "unlearn/core/error.hpp"
#include "unlearn/detail/file.hpp"

namespace unlearn::clip {

void require_regular_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) detail::throw_system_error(path, "a regular file");
  if (!S_ISREG(status.st_mode)) {
    throw FileError(detail::expectation(detail::file_name_for_message(path), "a regular file",
                                        S_ISDIR(status.st_mode) ? "a folder" : "another kind"));
  }
}

}  // namespace unlearn::clip
