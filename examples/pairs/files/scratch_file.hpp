// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

/// A temporary file without a name. It exists as long as this object, and disappears even if the
/// program crashes. The system caches it, but it does not count as the program's memory.
///
/// Several threads may call const members at once; concurrent calls of write() must not overlap.
class ScratchFile {
 public:
  /// An empty file, which uses no disk.
  ScratchFile() = default;

  /// Creates a file of `size` bytes.
  /// @param folder the file's folder; empty for the system's folder for temporary files ($TMPDIR,
  /// else /tmp)
  /// @param size   in bytes; this room is reserved on the disk
  /// @throws FileError when the folder does not exist, or has no room
  ScratchFile(const std::string& folder, std::uint64_t size);

  /// Writes bytes at `offset`.
  /// @throws FileError when they cannot be written
  void write(std::uint64_t offset, std::span<const std::uint8_t> bytes) const;

  /// Reads bytes at `offset`.
  /// @throws FileError when they cannot be read, or are beyond the end
  void read(std::uint64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  std::string name_;  ///< the name that the file had at first; for messages
  FileDescriptor file_;
};

}  // namespace unlearn::pairs
