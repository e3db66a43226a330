// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unlearn/checkpoint/detail/manifest.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::detail {

/// The files of a checkpoint: `state`, and `state-<generation>.<kind>` for each part.
///
/// The parts of a new checkpoint get names that no state mentions yet. The checkpoint becomes valid
/// when its state replaces the old one, in one step. Only then are the old parts removed.
class CheckpointDirectory {
 public:
  explicit CheckpointDirectory(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string state_path() const { return path_ + "/state"; }
  [[nodiscard]] std::string part_path(std::string_view kind, std::uint64_t generation) const {
    return path_ + "/" + part_name(kind, generation);
  }
  [[nodiscard]] bool has_state() const { return file_exists(state_path()); }

  /// Makes the directory if there is none, and locks it until this object ends.
  /// @throws FileError when it cannot be made, or when another run has locked it
  void lock() {
    if (lock_.is_open()) return;
    if (::mkdir(path_.c_str(), 0777) == 0) {
      sync_directory(directory_of(path_));
    } else if (errno != EEXIST) {
      throw_system_error(path_, "to make this directory");
    }
    FileDescriptor directory(path_, O_RDONLY | O_DIRECTORY);
    // Some network file systems have no locks. A run must work there, too, without the lock.
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw FileError(expectation("checkpoint directory '" + path_ + "'", "no other run in it",
                                  "a run that is still going on"));
    }
    lock_ = std::move(directory);
  }

  /// Reads the state.
  /// @throws FileError when it is missing, damaged or of another version
  [[nodiscard]] CheckpointManifest read_state() const {
    const FileMapping file(state_path());
    const std::span<std::byte> bytes = file.bytes();
    const auto* const text = reinterpret_cast<const char*>(bytes.data());  // NOLINT(*-cast)
    return decode_manifest({text, bytes.size()}, state_path());
  }

  /// Replaces the state; with this, a new checkpoint becomes valid.
  /// @throws FileError when it cannot be written; the old checkpoint is then still valid
  void write_state(const CheckpointManifest& manifest) const {
    const std::string text = encode(manifest);
    AtomicFile file(state_path());
    file.write(std::as_bytes(std::span(text)));
    file.commit();
  }

  /// Opens a part.
  /// @throws FileError when it is missing, or its checksum is not that of the state
  [[nodiscard]] FileMapping open_part(std::string_view kind, const CheckpointPart& part) const {
    FileMapping file(part_path(kind, part.generation));
    const std::uint64_t found = checksum_of(file.bytes());
    require_in_file(found == part.checksum, file.path(), "checksum", hex_text(part.checksum),
                    hex_text(found));
    return file;
  }

  /// A part that is a .npy file, and its elements.
  template <class T>
  struct NpyPart {
    FileMapping file;
    View<const T, 2> view;
  };

  /// Opens a part that is a .npy file.
  /// @throws FileError when it is missing, has another checksum, or is not a .npy file of elements
  /// T
  ///         and of this shape
  template <class T>
  [[nodiscard]] NpyPart<T> open_npy(std::string_view kind, const CheckpointPart& part,
                                    const std::array<std::size_t, 2>& shape) const {
    FileMapping file = open_part(kind, part);
    const auto view = npy_view<const T>(file.bytes(), file.path());
    for (std::size_t d = 0; d < shape.size(); ++d) {
      require_in_file(view.extent(d) == shape[d], file.path(), "shape", shape[d], view.extent(d));
    }
    return {std::move(file), view};
  }

  /// Removes all parts but these: those of the last checkpoint, and of one that was interrupted.
  /// @param kept names of files
  /// @throws FileError when the directory cannot be read, or a file cannot be removed
  void remove_parts_except(std::span<const std::string> kept) const {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path_.c_str()), ::closedir);
    if (!directory) throw_system_error(path_, "to list this directory");
    while (const dirent* entry = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe)
      const std::string_view name = entry->d_name;
      if (is_part_name(name) && std::ranges::find(kept, name) == kept.end()) {
        remove_file(path_ + "/" + std::string(name));
      }
    }
  }

  [[nodiscard]] static std::string part_name(std::string_view kind, std::uint64_t generation) {
    return std::string(part_prefix).append(number_text(generation)).append(".").append(kind);
  }

 private:
  static constexpr std::string_view part_prefix = "state-";

  [[nodiscard]] static bool is_part_name(std::string_view name) {
    if (!name.starts_with(part_prefix)) return false;
    name.remove_prefix(part_prefix.size());
    return !name.empty() && name.front() >= '0' && name.front() <= '9';
  }

  std::string path_;
  FileDescriptor lock_;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
