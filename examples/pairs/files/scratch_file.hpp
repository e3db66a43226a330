// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

/// Bytes on a disk for as long as the value lives: a file without a name, which is gone however the
/// program ends. What is read comes from the system's cache where that has it; none of it counts as
/// the program's memory.
///
/// Const members, and write() to parts that do not overlap, may be called from several threads at
/// once.
class ScratchFile {
 public:
  /// Takes no bytes, and touches no disk.
  ScratchFile() = default;

  /// Takes room for `size` bytes.
  /// @param folder where; empty for the system's folder for temporary files ($TMPDIR, else /tmp)
  /// @throws FileError when there is no such folder, or no such room in it
  ScratchFile(const std::string& folder, std::uint64_t size);

  /// Puts bytes at `offset`.
  /// @throws FileError when the system does not take them
  void write(std::uint64_t offset, std::span<const std::uint8_t> bytes) const;

  /// Fills `bytes` with what stands at `offset`.
  /// @throws FileError when the system does not give them, or they are beyond the end
  void read(std::uint64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  std::string name_;  ///< what it was for a moment; for messages
  FileDescriptor file_;
};

}  // namespace unlearn::pairs
