// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/buffer.cuh"
#include "unlearn/cuda/detail/copy_lane.cuh"
#include "unlearn/cuda/device.cuh"
#include "unlearn/cuda/gather.cuh"

/// @file
/// Batches of rows on their way between the host's memory and a device's.

namespace unlearn::cuda::detail {

/// A batch of named rows, on both sides.
template <class T, class DeviceT>
class RowBatch {
 public:
  RowBatch(const DeviceT& device, std::size_t columns)
      : there_(device.context->arena().allocator()), columns_(columns) {}

  [[nodiscard]] std::span<const Index> names() const { return names_; }
  [[nodiscard]] View<T, 2> host() { return {here_.data(), {names_.size(), columns_}}; }
  [[nodiscard]] View<T, 2> device() { return {there_.data(), {names_.size(), columns_}}; }
  [[nodiscard]] std::size_t bytes() const { return names_.size() * columns_ * sizeof(T); }
  [[nodiscard]] CopyLane<DeviceT>& lane() { return lane_; }

  /// Makes room for other rows, once the last copy is done.
  void reset(const DeviceT& device, std::span<const Index> names) {
    lane_.settle();
    names_.assign(names.begin(), names.end());
    here_.reserve(names.size() * columns_);
    // Memory that is new here may still be in use by what the policy's stream was given before.
    if (there_.reserve(names.size() * columns_)) lane_.release(device);
  }

 private:
  PinnedArray<T> here_;
  Buffer<T, typename DeviceT::allocator_type> there_;
  std::vector<Index> names_;
  std::size_t columns_;
  CopyLane<DeviceT> lane_;  // ends first, when its copy is done
};

/// Rows to the device: while one batch is in use, the next one is on its way.
template <class T, class DeviceT>
class RowUploads {
 public:
  RowUploads(const DeviceT& device, std::size_t columns)
      : batches_{RowBatch<T, DeviceT>(device, columns), RowBatch<T, DeviceT>(device, columns)} {}

  /// Whether rows `names` are on their way.
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
  void prefetch(const DeviceT& device, std::span<const Index> names, const Fill& fill) {
    coming_ = false;
    RowBatch<T, DeviceT>& batch = batches_[next_];
    batch.reset(device, names);
    fill(batch.host());
    batch.lane().begin(batch.host().data(), batch.bytes(), batch.device().data());
    coming_ = true;
  }

  /// out ← rows `names`, in the device's memory. Does not wait for the device.
  template <class Fill>
  void load(const DeviceT& device, std::span<const Index> names, View<T, 2> out, const Fill& fill) {
    if (!brings(names)) prefetch(device, names, fill);
    RowBatch<T, DeviceT>& batch = batches_[next_];
    batch.lane().join(device);
    copy_on(device, batch.device().data(), out.size(), out.data());
    batch.lane().release(device);
    forget();
    next_ = 1 - next_;
  }

  /// What is on its way is not wanted, as it has changed.
  void forget() { coming_ = false; }

 private:
  std::array<RowBatch<T, DeviceT>, 2> batches_;
  std::size_t next_ = 0;
  bool coming_ = false;
};

/// Rows to the host: the device goes on while they are on their way.
template <class T, class DeviceT>
class RowDownloads {
 public:
  RowDownloads(const DeviceT& device, std::size_t columns) : batch_(device, columns) {}

  /// The bytes that are on their way.
  [[nodiscard]] std::size_t bytes() const { return going_ ? batch_.bytes() : 0; }

  /// Begins to bring `rows`; nothing may be on its way.
  void begin(const DeviceT& device, std::span<const Index> names, View<const T, 2> rows) {
    batch_.reset(device, names);
    batch_.lane().join(device);
    copy_on(device, rows.data(), rows.size(), batch_.device().data());
    batch_.lane().release(device);
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

  /// They are not wanted any more.
  void forget() { going_ = false; }

 private:
  RowBatch<T, DeviceT> batch_;
  bool going_ = false;
};

/// All rows of something, in the device's memory.
template <class T, class DeviceT>
class ResidentRows {
 public:
  /// Whether there is something to keep that takes `most_bytes` or less.
  [[nodiscard]] static bool fit(std::size_t rows, std::size_t columns, std::size_t most_bytes) {
    return columns > 0 && rows <= most_bytes / (columns * sizeof(T));
  }

  /// The rows' content is undefined at first.
  ResidentRows(const DeviceT& device, std::size_t rows, std::size_t columns)
      : rows_(device.context->arena().allocator()), extents_{rows, columns} {
    rows_.reserve(rows * columns);
  }

  /// Takes all rows from the host; fill(names, View<T, 2>) writes some.
  template <class Fill>
  void upload(const DeviceT& device, const Fill& fill) {
    RowUploads<T, DeviceT> uploads(device, extents_[1]);
    std::vector<Index> names;
    std::vector<Index> next;
    const auto fill_with = [&](const std::vector<Index>& wanted) {
      return [&](View<T, 2> out) { fill(std::span<const Index>(wanted), out); };
    };
    for (std::size_t first = 0; first < extents_[0]; first += names.size()) {
      names = numbers_from(first);
      next = numbers_from(first + names.size());
      uploads.load(device, names, all().slice(first, names.size()), fill_with(names));
      if (!next.empty()) uploads.prefetch(device, next, fill_with(next));
    }
    wait(device);
  }

  /// out ← rows `names`. Waits until the device has come to here.
  void load(const DeviceT& device, std::span<const Index> names, View<T, 2> out) const {
    const auto there = scratch_on<Index>(device, names.size());
    copy_in_on(device, names.data(), names.size(), there.data());
    gather_rows(device, View<const T, 2>(all()), {there.data(), {names.size()}}, out);
  }

  /// Takes `rows` for the rows `names`; of one that is named twice, the last. Waits as above.
  void store(const DeviceT& device, std::span<const Index> names, View<const T, 2> rows) const {
    std::vector<Index> sources;
    std::vector<Index> targets;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto rest = names.subspan(i + 1);
      if (std::ranges::find(rest, names[i]) != rest.end()) continue;
      sources.push_back(static_cast<Index>(i));
      targets.push_back(names[i]);
    }
    const std::size_t count = sources.size();
    const auto there = scratch_on<Index>(device, count);
    const bool every = count == names.size();
    copy_in_on(device, targets.data(), count, there.data());
    if (every) return scatter_rows(device, rows, {there.data(), {count}}, all());
    const auto from = scratch_on<Index>(device, count);
    const auto once = scratch_on<T>(device, count * extents_[1]);
    copy_in_on(device, sources.data(), count, from.data());
    const View<T, 2> single(once.data(), {count, extents_[1]});
    gather_rows(device, rows, {from.data(), {count}}, single);
    scatter_rows(device, View<const T, 2>(single), {there.data(), {count}}, all());
  }

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

  Buffer<T, typename DeviceT::allocator_type> rows_;
  std::array<std::size_t, 2> extents_;
};

}  // namespace unlearn::cuda::detail
