// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

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
/// The bytes go to `<path>.tmp`. commit() waits until they are on the disk, and renames the file to
/// `path`; an existing file of that name is replaced in one step. Without a commit, the destructor
/// removes the temporary file.
///
/// This is a stream buffer, so a std::ostream can write to it. Give that stream
/// `exceptions(std::ios::badbit)`: a failed write then throws from the stream, too.
///
///     unlearn::AtomicFile file("log.csv");
///     file.write(std::as_bytes(std::span(text)));
///     file.commit();
class AtomicFile : public std::streambuf {
 public:
  /// Creates `<path>.tmp`.
  /// @param path the file that commit() creates or replaces
  /// @throws FileError when the temporary file cannot be created
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
  /// Removes the temporary file, unless it was committed.
  ~AtomicFile() override {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Takes the disk space for the whole file now, so that a full disk is noticed before the work.
  /// @param size the size of the file in bytes
  /// @throws FileError when there is not so much space
  void reserve(std::size_t size) {
    errno = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
    if (errno != 0) throw_system_error(temporary_, "to reserve " + std::to_string(size) + " bytes");
  }

  /// Appends bytes.
  /// @throws FileError when they cannot all be written, as on a full disk
  void write(std::span<const std::byte> bytes) {
    drain();
    write_through(bytes);
  }

  /// Makes the bytes written so far the file `path`. When this returns, the file survives a power
  /// cut. To be called once, as the last call.
  /// @throws FileError when a step fails. If that happens before the renaming, the file that was at
  ///         `path` before is still there.
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

  /// The Checksum of all bytes written so far.
  /// @throws FileError when buffered bytes cannot be written
  [[nodiscard]] std::uint64_t checksum() {
    drain();
    return checksum_.value();
  }

 protected:
  /// Writes the buffer out and stores one more character.
  int_type overflow(int_type next) override {
    drain();
    return traits_type::eq_int_type(next, traits_type::eof()) ? traits_type::not_eof(next)
                                                              : sputc(static_cast<char>(next));
  }

  /// Stores characters; many of them bypass the buffer.
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

#include "unlearn/core/pop_macros.hpp"
