// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/device/streaming_backend.hpp"

/// @file
/// Rows on their way between the host's memory and a backend's, called the device's here.

namespace unlearn::detail {

/// Some rows of a larger matrix, on both sides. `names` says which ones.
template <StreamingBackend B, class T>
class RowBatch {
 public:
  RowBatch(const B& backend, std::size_t columns)
      : host_(backend.template host_array<T>()),
        device_(backend.template buffer<T>()),
        columns_(columns),
        lane_(backend.copy_lane()) {}

  [[nodiscard]] std::span<const Index> names() const { return names_; }
  [[nodiscard]] View<T, 2> host() { return {host_.data(), {names_.size(), columns_}}; }
  [[nodiscard]] View<T, 2> device() { return {device_.data(), {names_.size(), columns_}}; }
  [[nodiscard]] std::size_t bytes() const { return names_.size() * columns_ * sizeof(T); }
  [[nodiscard]] CopyLane auto& lane() { return lane_; }

  /// Makes room for other rows, once the last copy is done.
  void reset(std::span<const Index> names) {
    lane_.settle();
    names_.assign(names.begin(), names.end());
    host_.reserve(names.size() * columns_);
    // Memory that is new here may still be in use by what the backend was asked to do before.
    if (device_.reserve(names.size() * columns_)) lane_.release();
  }

 private:
  decltype(std::declval<const B&>().template host_array<T>()) host_;
  decltype(std::declval<const B&>().template buffer<T>()) device_;
  std::vector<Index> names_;
  std::size_t columns_;
  decltype(std::declval<const B&>().copy_lane()) lane_;  // ends first, when its copy is done
};

/// Rows to the device: while one batch is in use, the next one is on its way.
template <StreamingBackend B, class T>
class RowUploads {
 public:
  RowUploads(const B& backend, std::size_t columns)
      : backend_(backend),
        batches_{RowBatch<B, T>(backend, columns), RowBatch<B, T>(backend, columns)} {}

  /// Whether exactly the rows `names` are on their way.
  [[nodiscard]] bool brings(std::span<const Index> names) const {
    return coming_ && std::ranges::equal(batches_[next_].names(), names);
  }
  /// Whether one of the rows is on its way.
  [[nodiscard]] bool brings_any_of(std::span<const Index> names) const {
    return coming_ && std::ranges::find_first_of(batches_[next_].names(), names) !=
                          batches_[next_].names().end();
  }

  /// Begins to bring rows `names`; fill(View<T, 2>) writes them.
  template <class Fill>
  void prefetch(std::span<const Index> names, const Fill& fill) {
    coming_ = false;
    RowBatch<B, T>& batch = batches_[next_];
    batch.reset(names);
    fill(batch.host());
    batch.lane().begin(batch.host().data(), batch.bytes(), batch.device().data());
    coming_ = true;
  }

  /// out ← rows `names`, in the device's memory. Does not wait for the device.
  template <class Fill>
  void load(std::span<const Index> names, View<T, 2> out, const Fill& fill) {
    if (!brings(names)) prefetch(names, fill);
    RowBatch<B, T>& batch = batches_[next_];
    batch.lane().join();
    backend_.copy(batch.device().data(), out.size(), out.data());
    batch.lane().release();
    forget();
    next_ = 1 - next_;
  }

  /// Drops what is on its way, as it has changed.
  void forget() { coming_ = false; }

 private:
  B backend_;
  std::array<RowBatch<B, T>, 2> batches_;
  std::size_t next_ = 0;
  bool coming_ = false;
};

/// Rows to the host: the device goes on while they are on their way.
template <StreamingBackend B, class T>
class RowDownloads {
 public:
  RowDownloads(const B& backend, std::size_t columns)
      : backend_(backend), batch_(backend, columns) {}

  /// The bytes that are on their way.
  [[nodiscard]] std::size_t bytes() const { return going_ ? batch_.bytes() : 0; }

  /// Begins to bring `rows`; nothing may be on its way.
  void begin(std::span<const Index> names, View<const T, 2> rows) {
    batch_.reset(names);
    batch_.lane().join();
    backend_.copy(rows.data(), rows.size(), batch_.device().data());
    batch_.lane().release();
    batch_.lane().begin(batch_.device().data(), batch_.bytes(), batch_.host().data());
    going_ = true;
  }

  /// Calls take(names, View<const T, 2>) with the rows that were on their way, if any.
  template <class Take>
  void arrive(const Take& take) {
    if (!going_) return;
    batch_.lane().settle();
    take(batch_.names(), View<const T, 2>(batch_.host()));
    going_ = false;
  }

  /// Drops what is on its way.
  void forget() { going_ = false; }

 private:
  B backend_;
  RowBatch<B, T> batch_;
  bool going_ = false;
};

/// All rows of a matrix, in the device's memory.
template <StreamingBackend B, class T>
class ResidentRows {
 public:
  /// Whether there is something to keep that takes `most_bytes` or less.
  [[nodiscard]] static bool fit(std::size_t rows, std::size_t columns, std::size_t most_bytes) {
    return columns > 0 && rows <= most_bytes / (columns * sizeof(T));
  }

  /// The rows' content is undefined at first.
  ResidentRows(const B& backend, std::size_t rows, std::size_t columns)
      : backend_(backend), rows_(backend.template buffer<T>()), extents_{rows, columns} {
    rows_.reserve(rows * columns);
  }

  /// Takes all rows from the host; fill(names, View<T, 2>) writes some. Waits for the device.
  template <class Fill>
  void upload(const Fill& fill) {
    RowUploads<B, T> uploads(backend_, extents_[1]);
    std::vector<Index> names;
    std::vector<Index> next;
    const auto fill_with = [&](const std::vector<Index>& wanted) {
      return [&](View<T, 2> out) { fill(std::span<const Index>(wanted), out); };
    };
    for (std::size_t first = 0; first < extents_[0]; first += names.size()) {
      names = numbers_from(first);
      next = numbers_from(first + names.size());
      uploads.load(names, all().slice(first, names.size()), fill_with(names));
      if (!next.empty()) uploads.prefetch(next, fill_with(next));
    }
    backend_.wait();
  }

  /// out ← rows `names`, in the device's memory. Waits for the device.
  void load(std::span<const Index> names, View<T, 2> out) const {
    const auto indices = on_device(names);
    backend_.gather_rows(View<const T, 2>(all()), {indices.data(), {names.size()}}, out);
  }

  /// Takes `rows`, in the device's memory, for the rows `names`; of one that is named twice, the
  /// last. Waits for the device.
  void store(std::span<const Index> names, View<const T, 2> rows) const {
    std::vector<Index> sources;
    std::vector<Index> targets;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto rest = names.subspan(i + 1);
      if (std::ranges::find(rest, names[i]) != rest.end()) continue;
      sources.push_back(static_cast<Index>(i));
      targets.push_back(names[i]);
    }
    const std::size_t count = sources.size();
    const auto to = on_device(targets);
    if (count == names.size()) return backend_.scatter_rows(rows, {to.data(), {count}}, all());
    const auto from = on_device(sources);
    const auto once = scratch<T>(backend_, count * extents_[1]);
    const View<T, 2> distinct(once.data(), {count, extents_[1]});
    backend_.gather_rows(rows, {from.data(), {count}}, distinct);
    backend_.scatter_rows(View<const T, 2>(distinct), {to.data(), {count}}, all());
  }

  /// The rows, in the device's memory.
  [[nodiscard]] View<T, 2> all() const { return {rows_.data(), extents_}; }

  /// How many rows move at once.
  [[nodiscard]] std::size_t stretch() const {
    constexpr std::size_t bytes = std::size_t{16} << 20U;
    return std::max<std::size_t>(bytes / std::max<std::size_t>(extents_[1] * sizeof(T), 1), 1);
  }

 private:
  [[nodiscard]] std::vector<Index> numbers_from(std::size_t first) const {
    std::vector<Index> numbers(std::min(stretch(), extents_[0] - first));
    std::iota(numbers.begin(), numbers.end(), static_cast<Index>(first));
    return numbers;
  }

  /// Scratch with a copy of `numbers`.
  [[nodiscard]] auto on_device(std::span<const Index> numbers) const {
    struct Copied {
      ScratchOf<Index, B> room;
      Copied(const B& backend, std::span<const Index> from)
          : room(scratch<Index>(backend, from.size())) {
        backend.copy_in(from.data(), from.size(), room.data());
      }
      [[nodiscard]] const Index* data() const { return room.data(); }
    };
    return Copied(backend_, numbers);
  }

  B backend_;
  decltype(std::declval<const B&>().template buffer<T>()) rows_;
  std::array<std::size_t, 2> extents_;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
