// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn {

/// A file that appears under its name complete and durable, or not at all.
///
/// Bytes go to `<path>.tmp`, which `commit` syncs and renames to `path`; whatever stood there
/// before is replaced in one step. Without a commit nothing is left behind. Being a stream buffer,
/// it can stand under a std::ostream; a failed write throws from there too, provided that the
/// stream has `exceptions(std::ios::badbit)`.
class AtomicFile : public std::streambuf {
 public:
  /// @throws FileError when the file cannot be created
  explicit AtomicFile(std::string path)
      : path_(std::move(path)),
        temporary_(path_ + ".tmp"),
        file_(temporary_, O_WRONLY | O_CREAT | O_TRUNC),
        buffer_(buffer_size) {
    empty_buffer();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile() override {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Takes the space for `size` bytes now, so that a full disk is found before any work is done.
  /// @throws FileError when there is no such space
  void reserve(std::size_t size) {
    errno = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
    if (errno != 0) throw_system_error(temporary_, "to reserve " + std::to_string(size) + " bytes");
  }

  /// @throws FileError when the system takes fewer bytes, as on a full disk
  void write(std::span<const std::byte> bytes) {
    drain();
    write_through(bytes);
  }

  /// The file is `path` from here on, also after a power cut.
  /// @throws FileError when a step fails; up to the renaming, `path` is then what it was before
  void commit() {
    drain();
    if (::fsync(file_.get()) != 0) throw_system_error(temporary_, "to make it durable");
    if (::close(file_.release()) != 0) throw_system_error(temporary_, "to close it");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      throw_system_error(temporary_, "to rename it to '" + path_ + "'");
    }
    committed_ = true;
    sync_directory(directory_of(path_));
  }

  /// The checksum of all bytes so far.
  [[nodiscard]] std::uint64_t checksum() {
    drain();
    return checksum_.value();
  }

 protected:
  int_type overflow(int_type next) override {
    drain();
    return traits_type::eq_int_type(next, traits_type::eof()) ? traits_type::not_eof(next)
                                                              : sputc(static_cast<char>(next));
  }

  std::streamsize xsputn(const char* text, std::streamsize count) override {
    if (count < epptr() - pptr()) return std::streambuf::xsputn(text, count);
    write(std::as_bytes(std::span(text, static_cast<std::size_t>(count))));
    return count;
  }

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 16U;

  void empty_buffer() { setp(buffer_.data(), buffer_.data() + buffer_.size()); }

  void drain() {
    write_through(std::as_bytes(std::span(pbase(), pptr())));
    empty_buffer();
  }

  void write_through(std::span<const std::byte> bytes) {
    checksum_.update(bytes);
    while (!bytes.empty()) {
      const auto written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        throw_system_error(temporary_, "to write " + std::to_string(bytes.size()) + " bytes");
      }
    }
  }

  std::string path_;
  std::string temporary_;
  FileDescriptor file_;
  std::vector<char> buffer_;
  Checksum checksum_;
  bool committed_ = false;
};

}  // namespace unlearn
