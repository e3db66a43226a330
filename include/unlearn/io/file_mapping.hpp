// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <streambuf>
#include <string>
#include <utility>

#include "unlearn/io/file.hpp"

namespace unlearn {

/// Whether a mapped file is only read, or what is written to its bytes is written to the file.
enum class FileAccess { read, read_write };

/// The bytes of a file as memory. The file must not be cut shorter while it is mapped.
class FileMapping {
 public:
  /// @throws FileError when the file cannot be opened or mapped
  explicit FileMapping(std::string path, FileAccess access = FileAccess::read)
      : path_(std::move(path)) {
    const bool writable = access == FileAccess::read_write;
    const FileDescriptor file(path_, writable ? O_RDWR : O_RDONLY);
    const auto size = static_cast<std::size_t>(file_size(file, path_));
    if (size == 0) return;  // mmap refuses it, and an empty span says all there is to say
    void* const address = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                                 MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED) throw_system_error(path_, "to map it into memory");
    bytes_ = {static_cast<std::byte*>(address), size};
  }

  FileMapping(FileMapping&& other) noexcept
      : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}
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

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Writable only if the file was mapped for that.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

  /// Makes what was written durable.
  /// @throws FileError when the system cannot
  void sync() const {
    if (!bytes_.empty() && ::msync(bytes_.data(), bytes_.size(), MS_SYNC) != 0) {
      throw_system_error(path_, "to make it durable");
    }
  }

  /// Takes the file's bytes out of this process's memory; the next access brings them back. What
  /// was written stays with the system, which puts it on the disk in its own time.
  void release() const {
    if (!bytes_.empty()) ::madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED);
  }

 private:
  std::string path_;
  std::span<std::byte> bytes_;
};

/// Reads a mapped file as a stream that can be positioned; nothing is copied on the way.
class MappedInput : public std::streambuf {
 public:
  /// @param file must outlive this
  explicit MappedInput(const FileMapping& file) {
    char* const begin = reinterpret_cast<char*>(file.bytes().data());  // NOLINT(*-reinterpret-cast)
    setg(begin, begin, begin + file.bytes().size());
  }

 protected:
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

  pos_type seekpos(pos_type position, std::ios_base::openmode which) override {
    return seekoff(off_type(position), std::ios_base::beg, which);
  }
};

}  // namespace unlearn
