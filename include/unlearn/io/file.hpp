// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn {

/// "file '<path>'", as messages name it.
[[nodiscard]] inline std::string file_name_for_message(const std::string& path) {
  return "file '" + path + "'";
}

/// @throws FileError unless `holds`; `what` is the part of the file that is concerned.
template <class Expected, class Got>
void require_in_file(bool holds, const std::string& path, std::string_view what,
                     const Expected& expected, const Got& got) {
  if (holds) [[likely]]
    return;
  const std::string thing = file_name_for_message(path).append(", ").append(what);
  throw FileError(expectation(thing, expected, got));
}

/// What the system said about the call that has just failed.
/// @throws FileError always
[[noreturn]] inline void throw_system_error(const std::string& path, std::string_view expected) {
  const std::string got = std::system_category().message(errno);
  throw FileError(expectation(file_name_for_message(path), expected, got));
}

/// A file descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;

  /// @param flags as for open(2)
  /// @throws FileError when the file cannot be opened
  FileDescriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {  // NOLINT(*-vararg): POSIX's signature
    if (fd_ < 0) throw_system_error(path, "to open it");
  }

  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  /// Gives the descriptor up, to be closed by the caller.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

[[nodiscard]] inline bool file_exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// @throws FileError when the system does not tell
[[nodiscard]] inline std::uint64_t file_size(const FileDescriptor& file, const std::string& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw_system_error(path, "to read its size");
  return static_cast<std::uint64_t>(status.st_size);
}

/// The directory in which a path's last component stands.
[[nodiscard]] inline std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes the creation, renaming and removal of files in `directory` outlast a power cut.
/// @throws FileError when the system cannot
inline void sync_directory(const std::string& directory) {
  const FileDescriptor opened(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.get()) != 0) throw_system_error(directory, "to make it durable");
}

/// @throws FileError unless the file is gone afterwards
inline void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_system_error(path, "to remove it");
}

}  // namespace unlearn
