// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/noise/detail/paged_rows.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn {

/// Noise in a memory-mapped `.npy` file, [groups, elements], that NumPy opens as it is.
///
/// The whole noise need not fit into memory: what a call has read or written of the file is not
/// kept in it. What `store` takes is pending, in memory, and `load` sees it at once. It is written
///  - in a run without a checkpoint: whenever `write_back_bytes` are pending, at `flush`, and when
///    this object is destroyed;
///  - once a checkpoint holds it (see JournaledNoiseStore): at checkpoints only. So the file always
///    has the noise of the last checkpoint, whenever the run is killed.
template <NoiseValue N = std::int8_t>
class MappedNoiseStore {
 public:
  /// What one number of the noise is stored as.
  using value_type = N;

  /// How much is pending at most while no checkpoint holds the noise.
  static constexpr std::size_t write_back_bytes = std::size_t{32} << 20U;

  /// Makes a file of zeros. Its space on the disk is reserved at once, so that the noise of a run
  /// that has started cannot fill the disk.
  /// @throws FileError when there is such a file already, or no space for it
  /// @throws InvalidArgument when groups · elements is more than memory can be addressed for, or
  ///         when there are more groups than an Index can number
  [[nodiscard]] static MappedNoiseStore create(const std::string& path, std::size_t groups,
                                               std::size_t elements) {
    if (file_exists(path)) {
      throw FileError(expectation(file_name_for_message(path), "no file yet",
                                  "one that must not be overwritten"));
    }
    const std::string header = npy_header<N>(groups, elements);
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    std::size_t size = 0;
    require(detail::multiply(groups, elements, size) && detail::multiply(size, sizeof(N), size) &&
                size <= limit - header.size(),
            "bytes of noise", "at most " + std::to_string(limit),
            std::to_string(groups) + " x " + std::to_string(elements));
    require_numbered("groups of noise", groups);
    AtomicFile file(path);
    file.reserve(header.size() + size);
    file.write(std::as_bytes(std::span(header)));
    file.commit();
    return open(path);
  }

  /// Opens what `create` or NumPy made.
  /// @throws FileError unless it is a `.npy` file of N in C order, of rank 2, and of the right size
  [[nodiscard]] static MappedNoiseStore open(const std::string& path) {
    return MappedNoiseStore(path);
  }

  /// The moved-from object may only be destroyed.
  MappedNoiseStore(MappedNoiseStore&&) noexcept = default;
  MappedNoiseStore(const MappedNoiseStore&) = delete;
  MappedNoiseStore& operator=(const MappedNoiseStore&) = delete;
  MappedNoiseStore& operator=(MappedNoiseStore&&) = delete;
  /// Writes what is pending back, unless a checkpoint holds it.
  ~MappedNoiseStore() {
    if (!held_) write_back();
  }

  /// @returns the number of noises.
  [[nodiscard]] std::size_t groups() const { return noise_.extent(0); }
  /// @returns how many numbers a noise has.
  [[nodiscard]] std::size_t elements() const { return noise_.extent(1); }

  /// Copies the noises of `groups` to `out` [n, elements].
  /// @throws InvalidArgument for a group or shape that does not fit
  void load(std::span<const Index> groups, View<N, 2> out) const {
    require_noise_rows(*this, groups, out);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::size_t slot = slots_[groups[i]];
      const std::span<const N> from =
          slot == not_pending ? std::span<const N>(noise_.row(groups[i])) : pending_.row(slot);
      std::ranges::copy(from, out.row(i).begin());
    }
    file_.release();
  }

  /// Takes `noise` [n, elements] as the noises of `groups`.
  /// @throws InvalidArgument for a group or shape that does not fit
  void store(std::span<const Index> groups, View<const N, 2> noise) {
    require_noise_rows(*this, groups, noise);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::ranges::copy(noise.row(i), pending_row(groups[i]).begin());
    }
    if (!held_ && pending_bytes() > write_back_bytes) write_back();
  }

  /// From now on, nothing reaches the file but through `flush`.
  void hold() { held_ = true; }

  /// @returns the memory of the noise that is not in the file yet, in bytes.
  [[nodiscard]] std::size_t pending_bytes() const {
    return pending_groups_.size() * elements() * sizeof(N);
  }

  /// Writes the pending noise to a journal, durably.
  /// @returns a checksum of it
  /// @throws FileError when it cannot be written
  std::uint64_t write_journal(const std::string& path) const {
    const JournalHeader header{journal_magic, dtype(), groups(), elements(),
                               pending_groups_.size()};
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&header, 1)));
    file.write(std::as_bytes(std::span(pending_groups_)));
    for (std::size_t slot = 0; slot < pending_groups_.size(); ++slot) {
      file.write(std::as_bytes(pending_.row(slot)));
    }
    const std::uint64_t checksum = file.checksum();
    file.write(std::as_bytes(std::span(&checksum, 1)));
    file.commit();
    return checksum;
  }

  /// Holds, and replaces the pending noise by the journal's.
  /// @returns the journal's checksum
  /// @throws FileError when it is not a whole journal of noise of this type and shape; nothing is
  ///         changed then
  std::uint64_t read_journal(const std::string& path);

  /// Forgets the pending noise: `load` gives what is in the file.
  void discard_pending() {
    for (const Index group : pending_groups_) slots_[group] = not_pending;
    pending_groups_.clear();
    pending_.clear();
  }

  /// Moves the pending noise to the file, and makes it durable.
  /// @throws FileError when the system cannot
  void flush() {
    copy_to_file();
    file_.sync();
    discard_pending();
  }

 private:
  /// How much of the file is in memory at most while it is written.
  static constexpr std::size_t release_bytes = std::size_t{4} << 20U;
  static constexpr std::size_t not_pending = std::numeric_limits<std::size_t>::max();

  /// A journal is this header, the groups [rows], their noise [rows, elements], and the checksum of
  /// all that.
  struct JournalHeader {
    std::array<char, 16> magic;
    std::array<char, 8> dtype;
    std::uint64_t groups;
    std::uint64_t elements;
    std::uint64_t rows;
  };
  static constexpr std::array<char, 16> journal_magic{"unlearn journal"};

  static constexpr std::array<char, 8> dtype() {
    std::array<char, 8> name{};
    std::ranges::copy(npy_dtype<N>, name.begin());
    return name;
  }

  explicit MappedNoiseStore(const std::string& path)
      : file_(path, FileAccess::read_write),
        noise_(npy_view<N>(file_.bytes(), path)),
        slots_(groups(), not_pending),
        pending_(elements()) {}

  /// Where the pending noise of `group` is to be put.
  std::span<N> pending_row(Index group) {
    std::size_t& slot = slots_[group];
    if (slot == not_pending) {
      pending_.reserve(pending_groups_.size() + 1);
      pending_groups_.push_back(group);
      slot = pending_groups_.size() - 1;
    }
    return pending_.row(slot);
  }

  void copy_to_file() {
    std::size_t copied = 0;
    for (std::size_t slot = 0; slot < pending_groups_.size(); ++slot) {
      std::ranges::copy(pending_.row(slot), noise_.row(pending_groups_[slot]).begin());
      copied += elements() * sizeof(N);
      if (copied > release_bytes) {
        file_.release();
        copied = 0;
      }
    }
    file_.release();
  }

  void write_back() {
    copy_to_file();
    discard_pending();
  }

  FileMapping file_;
  View<N, 2> noise_;
  std::vector<std::size_t> slots_;  ///< [groups]: its row in pending_, or not_pending
  std::vector<Index> pending_groups_;
  detail::PagedRows<N> pending_;  ///< [pending_groups_, elements]
  bool held_ = false;
};

template <NoiseValue N>
std::uint64_t MappedNoiseStore<N>::read_journal(const std::string& path) {
  const FileMapping journal(path);
  std::span<const std::byte> rest = journal.bytes();
  const auto take = [&rest](std::size_t size) {
    const auto taken = rest.first(size);
    rest = rest.subspan(size);
    return taken;
  };

  JournalHeader header{};
  require_in_file(rest.size() > sizeof(header), path, "size in bytes",
                  "more than " + std::to_string(sizeof(header)), rest.size());
  std::memcpy(&header, take(sizeof(header)).data(), sizeof(header));
  require_in_file(header.magic == journal_magic, path, "beginning",
                  std::string_view(journal_magic.data()), "something else");
  require_in_file(header.dtype == dtype(), path, "dtype", npy_dtype<N>, "another one");
  require_in_file(header.groups == groups(), path, "noise groups", groups(), header.groups);
  require_in_file(header.elements == elements(), path, "elements of a noise", elements(),
                  header.elements);
  require_in_file(header.rows <= groups(), path, "rows", "at most " + std::to_string(groups()),
                  header.rows);
  // The mapped noise has at least as many rows: these products cannot overflow.
  const std::size_t group_bytes = header.rows * sizeof(Index);
  const std::size_t row_bytes = header.rows * elements() * sizeof(N);
  require_in_file(rest.size() == group_bytes + row_bytes + sizeof(std::uint64_t), path,
                  "size in bytes", sizeof(header) + group_bytes + row_bytes + sizeof(std::uint64_t),
                  journal.bytes().size());

  std::vector<Index> named(header.rows);
  std::ranges::copy(take(group_bytes), std::as_writable_bytes(std::span(named)).begin());
  std::vector<N> noise(header.rows * elements());
  std::ranges::copy(take(row_bytes), std::as_writable_bytes(std::span(noise)).begin());
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, rest.data(), sizeof(checksum));
  const std::uint64_t found =
      checksum_of(journal.bytes().first(journal.bytes().size() - sizeof(checksum)));
  require_in_file(found == checksum, path, "checksum", hex_text(checksum), hex_text(found));
  for (const Index group : named) {
    require_in_file(group < groups(), path, "noise group", "less than " + std::to_string(groups()),
                    group);
  }

  hold();
  discard_pending();
  store(named, View<const N, 2>(noise.data(), {named.size(), elements()}));
  return checksum;
}

static_assert(JournaledNoiseStore<MappedNoiseStore<std::int8_t>> &&
              JournaledNoiseStore<MappedNoiseStore<float>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
