// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/device/detail/row_transfers.hpp"
#include "unlearn/device/streaming_backend.hpp"

namespace unlearn {

/// A pair source whose signals come to a device's memory: a PairSource for
/// MultiStepMinimizer::minimize with the same backend.
///
/// Signals stay there, as the bytes or floats that they are, when all of them fit into
/// `most_bytes`. Otherwise each batch is brought from the source, and while the device works on the
/// batch before it if the source is told in time (`prefetch`).
///
/// @tparam BackendT a StreamingBackend
/// @tparam Pairs    a source in the host's memory
template <BackendPolicy BackendT, PairSource Pairs>
class DevicePairSource {
  static_assert(StreamingBackend<BackendT>,
                "this policy is no unlearn::StreamingBackend: see its requirements in "
                "unlearn/device/streaming_backend.hpp");

 public:
  /// What a signal's numbers are stored as.
  using sample_type = typename Pairs::sample_type;
  /// See PairSource.
  static constexpr bool on_device = true;

  /// @param backend    copied
  /// @param pairs      must outlive this
  /// @param most_bytes of the device's memory for all signals
  /// @throws what the backend and the source throw
  DevicePairSource(const BackendT& backend, Pairs& pairs, std::size_t most_bytes)
      : pairs_(&pairs), uploads_(backend, pairs.elements()) {
    if (!Resident::fit(pairs.signals(), pairs.elements(), most_bytes)) return;
    resident_.emplace(backend, pairs.signals(), pairs.elements());
    resident_->upload([&](std::span<const Index> signals, View<sample_type, 2> out) {
      pairs.load_signals(signals, out);
    });
  }
  /// The same with half of the device's free memory.
  DevicePairSource(const BackendT& backend, Pairs& pairs)
      : DevicePairSource(backend, pairs, backend.free_bytes() / 2) {}

  /// @returns whether all signals are in the device's memory.
  [[nodiscard]] bool resident() const { return resident_.has_value(); }

  /// @returns the number of pairs.
  [[nodiscard]] std::size_t rows() const { return pairs_->rows(); }
  /// @returns the number of signals.
  [[nodiscard]] std::size_t signals() const { return pairs_->signals(); }
  /// @returns how many numbers a signal has.
  [[nodiscard]] std::size_t elements() const { return pairs_->elements(); }
  /// @returns the signal of a row.
  [[nodiscard]] Index signal_of(Index row) const {
    return static_cast<Index>(pairs_->signal_of(row));
  }
  /// @returns the tokens of a row's caption, in the host's memory.
  [[nodiscard]] std::span<const Token> caption(Index row) const { return pairs_->caption(row); }

  /// Writes signal indices[i] to row i of `out`, in the device's memory. Waits for the device if
  /// all signals are there, otherwise only for the source.
  /// @param indices signals, each in [0, signals()); one may appear several times
  /// @param out [indices, elements()]
  /// @throws InvalidArgument for a signal or a shape that does not fit; what the source throws
  void load_signals(std::span<const Index> indices, View<sample_type, 2> out) {
    require_size("rows of signals", indices.size(), out.extent(0));
    require_size("elements of a signal", elements(), out.extent(1));
    for (const Index signal : indices) {
      require(signal < signals(), "signal", "less than " + std::to_string(signals()), signal);
    }
    if (resident_) return resident_->load(indices, out);
    uploads_.load(indices, out, fill(indices));
  }

  /// Begins to bring a batch, if signals do not stay on the device.
  /// @throws what the source throws
  void prefetch(std::span<const Index> indices) {
    if (!resident_) uploads_.prefetch(indices, fill(indices));
  }

 private:
  [[nodiscard]] auto fill(std::span<const Index> indices) {
    return [this, indices](View<sample_type, 2> out) { pairs_->load_signals(indices, out); };
  }

  using Resident = detail::ResidentRows<BackendT, sample_type>;

  Pairs* pairs_;
  detail::RowUploads<BackendT, sample_type> uploads_;
  std::optional<Resident> resident_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
