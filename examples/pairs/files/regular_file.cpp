// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/regular_file.hpp"

#include <sys/stat.h>

#include "unlearn/core/error.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

void require_regular_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) throw_system_error(path, "a regular file");
  if (!S_ISREG(status.st_mode)) {
    throw FileError(expectation(file_name_for_message(path), "a regular file",
                                S_ISDIR(status.st_mode) ? "a folder" : "another kind"));
  }
}

}  // namespace unlearn::pairs
