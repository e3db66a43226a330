// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn {

/// The name of a file in messages: "file '<path>'".
[[nodiscard]] inline std::string file_name_for_message(const std::string& path) {
  return "file '" + path + "'";
}

/// Checks what was found in a file.
/// @param holds    whether it is as expected
/// @param path     the file
/// @param what     the part of the file that was checked, such as "header"
/// @param expected what should be there: a text or a number
/// @param got      what is there: a text or a number
/// @throws FileError unless `holds`: "file '<path>', <what>: expected <expected>, got <got>"
template <class Expected, class Got>
void require_in_file(bool holds, const std::string& path, std::string_view what,
                     const Expected& expected, const Got& got) {
  if (holds) [[likely]]
    return;
  const std::string thing = file_name_for_message(path).append(", ").append(what);
  throw FileError(expectation(thing, expected, got));
}

/// Reports the system call that has just failed; `errno` says why.
/// @param path     the file that the call was about
/// @param expected what the call was meant to do, such as "to open it"
/// @throws FileError always: "file '<path>': expected <expected>, got <the system's message>"
[[noreturn]] inline void throw_system_error(const std::string& path, std::string_view expected) {
  const std::string got = std::system_category().message(errno);
  throw FileError(expectation(file_name_for_message(path), expected, got));
}

/// Owns a file descriptor of the system and closes it at the end. Can be moved, not copied.
class FileDescriptor {
 public:
  /// No file.
  FileDescriptor() = default;

  /// Opens a file. A file that is created gets the permissions 0666, less the umask.
  /// @param path  the file or directory
  /// @param flags those of open(2), such as O_RDONLY; O_CLOEXEC is added
  /// @throws FileError when the file cannot be opened
  FileDescriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {  // NOLINT(*-vararg): POSIX's signature
    if (fd_ < 0) throw_system_error(path, "to open it");
  }

  /// Takes the file over; `other` then has none.
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  /// Exchanges the two files.
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// The descriptor, for system calls; -1 for no file.
  [[nodiscard]] int get() const { return fd_; }
  /// Whether there is a file.
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  /// Hands over the descriptor: from now on the caller has to close it.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Whether there is a file or directory of this name.
[[nodiscard]] inline bool file_exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// The size of an open file in bytes.
/// @param file the file
/// @param path its name, for messages
/// @throws FileError when the system call fails
[[nodiscard]] inline std::uint64_t file_size(const FileDescriptor& file, const std::string& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw_system_error(path, "to read its size");
  return static_cast<std::uint64_t>(status.st_size);
}

/// Fills `bytes` with the next bytes of an open file.
/// @param file  the file; its position moves on
/// @param path  its name, for messages
/// @param bytes receives the bytes
/// @throws FileError when the file ends before, or the system call fails
inline void read_exactly(const FileDescriptor& file, const std::string& path,
                         std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto got = ::read(file.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(path, "to read " + std::to_string(bytes.size()) + " bytes");
    require_in_file(got > 0, path, "size", std::to_string(bytes.size()) + " more bytes",
                    "the end of the file");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

/// The directory that contains `path`: "." for a name alone, "/" for a name in the root.
[[nodiscard]] inline std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Waits until the disk knows which files were created, renamed or removed in `directory`, so that
/// this survives a power cut.
/// @throws FileError when the system call fails
inline void sync_directory(const std::string& directory) {
  const FileDescriptor opened(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.get()) != 0) throw_system_error(directory, "to make it durable");
}

/// Removes a file. It is no error if there is none.
/// @throws FileError when the file cannot be removed
inline void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_system_error(path, "to remove it");
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
