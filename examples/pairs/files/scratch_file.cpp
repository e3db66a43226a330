// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/scratch_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

std::string folder_or_default(const std::string& folder) {
  if (!folder.empty()) return folder;
  std::error_code failure;
  const std::filesystem::path found = std::filesystem::temp_directory_path(failure);
  if (failure) {
    throw FileError(
        expectation("folder for temporary files, $TMPDIR", "a folder", failure.message()));
  }
  return found.string();
}

}  // namespace

ScratchFile::ScratchFile(const std::string& folder, std::uint64_t size)
    : name_(
          (std::filesystem::path(folder_or_default(folder)) / "unlearn-scratch-XXXXXX").string()) {
  // FileDescriptor's constructor does not take a pattern. So the file is created, opened again and
  // unlinked.
  const int made = ::mkostemp(name_.data(), O_CLOEXEC);
  if (made < 0) throw_system_error(name_, "to make a temporary file");
  ::close(made);
  try {
    file_ = FileDescriptor(name_, O_RDWR);
  } catch (...) {
    ::unlink(name_.c_str());
    throw;
  }
  ::unlink(name_.c_str());
  errno = size > 0 ? ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size)) : 0;
  if (errno != 0) {
    throw_system_error(name_, "room for " + std::to_string(size) + " bytes");
  }
}

void ScratchFile::write(std::uint64_t offset, std::span<const std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const auto written =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      throw_system_error(name_, "to write " + std::to_string(bytes.size()) + " bytes");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void ScratchFile::read(std::uint64_t offset, std::span<std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const auto got = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw_system_error(name_, "to read " + std::to_string(bytes.size()) + " bytes");
    }
    require_in_file(got > 0, name_, "size", std::to_string(bytes.size()) + " more bytes",
                    "the end of the file");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

}  // namespace unlearn::pairs
