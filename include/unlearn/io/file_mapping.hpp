// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <streambuf>
#include <string>
#include <utility>

#include "unlearn/io/file.hpp"

namespace unlearn {

/// What a mapping allows.
enum class FileAccess {
  read,       ///< the bytes may only be read
  read_write  ///< what is written to the bytes is written to the file
};

/// The bytes of a whole file as memory (mmap, shared). Can be moved, not copied.
///
/// The file must not become shorter while it is mapped: reading a byte that is gone ends the
/// program.
class FileMapping {
 public:
  /// Maps a file. A file without bytes gives an empty span.
  /// @param path   the file
  /// @param access whether its bytes may be written
  /// @throws FileError when the file cannot be opened or mapped
  explicit FileMapping(std::string path, FileAccess access = FileAccess::read)
      : path_(std::move(path)) {
    const bool writable = access == FileAccess::read_write;
    const FileDescriptor file(path_, writable ? O_RDWR : O_RDONLY);
    const auto size = static_cast<std::size_t>(file_size(file, path_));
    if (size == 0) return;  // mmap refuses an empty file
    void* const address = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                                 MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED) throw_system_error(path_, "to map it into memory");
    bytes_ = {static_cast<std::byte*>(address), size};
  }

  /// Takes the mapping over; `other` then has no bytes.
  FileMapping(FileMapping&& other) noexcept
      : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}
  /// Exchanges the two mappings.
  FileMapping& operator=(FileMapping&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;
  ~FileMapping() {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  }

  /// The path that the file was opened with.
  [[nodiscard]] const std::string& path() const { return path_; }

  /// All bytes of the file. They may be written only with FileAccess::read_write.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

  /// Waits until all that was written to the bytes is on the disk.
  /// @throws FileError when the system call fails
  void sync() const {
    if (!bytes_.empty() && ::msync(bytes_.data(), bytes_.size(), MS_SYNC) != 0) {
      throw_system_error(path_, "to make it durable");
    }
  }

  /// Takes the bytes out of this process's memory; the next access loads them again. Nothing that
  /// was written is lost: the system keeps it, and writes it to the disk later.
  void release() const {
    if (!bytes_.empty()) ::madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED);
  }

 private:
  std::string path_;
  std::span<std::byte> bytes_;
};

/// A stream buffer that reads a mapped file in place. For a std::istream; it can be positioned.
class MappedInput : public std::streambuf {
 public:
  /// Starts at the first byte.
  /// @param file must outlive this object
  explicit MappedInput(const FileMapping& file) {
    char* const begin = reinterpret_cast<char*>(file.bytes().data());  // NOLINT(*-reinterpret-cast)
    setg(begin, begin, begin + file.bytes().size());
  }

 protected:
  /// Moves by `offset` from `origin`.
  /// @returns the new position, or -1 outside the file
  pos_type seekoff(off_type offset, std::ios_base::seekdir origin,
                   std::ios_base::openmode /*which*/) override {
    const off_type size = egptr() - eback();
    off_type target = offset;
    if (origin == std::ios_base::cur) target += gptr() - eback();
    if (origin == std::ios_base::end) target += size;
    if (target < 0 || target > size) return off_type{-1};
    setg(eback(), eback() + target, egptr());
    return target;
  }

  /// Moves to `position`.
  /// @returns the new position, or -1 outside the file
  pos_type seekpos(pos_type position, std::ios_base::openmode which) override {
    return seekoff(off_type(position), std::ios_base::beg, which);
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
