// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/row_transfers.cuh"
#include "unlearn/cuda/device.cuh"

namespace unlearn::cuda {

/// A pair source whose signals come to a device's memory: a PairSource for
/// MultiStepMinimizer::minimize with the same policy.
///
/// Signals stay there, as the bytes or floats that they are, when all of them fit into
/// `most_bytes`. Else each batch is brought from the source: through pinned memory, and while the
/// device works for the batch before it, where the source is told in time (`prefetch`).
///
/// @tparam Pairs a source in the host's memory
/// @tparam DeviceT a Device
template <PairSource Pairs, class DeviceT>
class DevicePairSource {
 public:
  /// What a signal's numbers are stored as.
  using sample_type = typename Pairs::sample_type;
  /// See PairSource.
  static constexpr bool on_device = true;

  /// @param device     copied; on the stream of its context
  /// @param pairs      must outlive this
  /// @param most_bytes of the device's memory for all signals
  DevicePairSource(const DeviceT& device, Pairs& pairs, std::size_t most_bytes)
      : device_(device), pairs_(&pairs), uploads_(device, pairs.elements()) {
    if (!Resident::fit(pairs.signals(), pairs.elements(), most_bytes)) return;
    resident_.emplace(device, pairs.signals(), pairs.elements());
    resident_->upload(device, [&](std::span<const Index> signals, View<sample_type, 2> out) {
      pairs.load_signals(signals, out);
    });
  }
  /// The same with half of what is free.
  DevicePairSource(const DeviceT& device, Pairs& pairs)
      : DevicePairSource(device, pairs, half_of_free_memory(device)) {}

  /// Whether all signals are in the device's memory.
  [[nodiscard]] bool resident() const { return resident_.has_value(); }

  /// The number of pairs.
  [[nodiscard]] std::size_t rows() const { return pairs_->rows(); }
  /// The number of signals.
  [[nodiscard]] std::size_t signals() const { return pairs_->signals(); }
  /// Numbers in one signal.
  [[nodiscard]] std::size_t elements() const { return pairs_->elements(); }
  /// The signal of a row.
  [[nodiscard]] Index signal_of(Index row) const {
    return static_cast<Index>(pairs_->signal_of(row));
  }
  /// The tokens of a row's caption, in the host's memory.
  [[nodiscard]] std::span<const Token> caption(Index row) const { return pairs_->caption(row); }

  /// Writes signal indices[i] to row i of `out`, in the device's memory. Waits until the device has
  /// come to here if all signals are there; else for nothing but the source.
  /// @throws InvalidArgument for a signal or a shape that does not fit; what the source throws
  void load_signals(std::span<const Index> indices, View<sample_type, 2> out) {
    unlearn::require_size("rows of signals", indices.size(), out.extent(0));
    unlearn::require_size("elements of a signal", elements(), out.extent(1));
    for (const Index signal : indices) {
      unlearn::require(signal < signals(), "signal", "less than " + std::to_string(signals()),
                       signal);
    }
    if (resident_) return resident_->load(device_, indices, out);
    uploads_.load(device_, indices, out, fill(indices));
  }

  /// Begins to bring a batch, if signals do not stay on the device.
  void prefetch(std::span<const Index> indices) {
    if (!resident_) uploads_.prefetch(device_, indices, fill(indices));
  }

 private:
  [[nodiscard]] auto fill(std::span<const Index> indices) {
    return [this, indices](View<sample_type, 2> out) { pairs_->load_signals(indices, out); };
  }

  using Resident = detail::ResidentRows<sample_type, DeviceT>;

  DeviceT device_;
  Pairs* pairs_;
  detail::RowUploads<sample_type, DeviceT> uploads_;
  std::optional<Resident> resident_;
};

}  // namespace unlearn::cuda
