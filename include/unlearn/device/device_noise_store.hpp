// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/device/detail/row_transfers.hpp"
#include "unlearn/device/streaming_backend.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn {

/// Noise that comes to a device's memory: a HostBackedNoiseStore over a store in the host's, which
/// is MappedNoiseStore, MemoryNoiseStore or one of yours.
///
/// All noises stay on the device when they fit into `most_bytes`; they are written back at
/// checkpoints and at the end of a run. Otherwise each batch is brought from the host's store and
/// written back while the device works on.
///
/// What has not been written back is lost with this object.
/// @tparam BackendT a StreamingBackend
/// @tparam Store    a store in the host's memory
template <BackendPolicy BackendT, NoiseStore Store>
class DeviceNoiseStore {
  static_assert(StreamingBackend<BackendT>,
                "this policy is no unlearn::StreamingBackend: see its requirements in "
                "unlearn/device/streaming_backend.hpp");

 public:
  /// What one number of the noise is stored as.
  using value_type = typename Store::value_type;

  /// @param backend    copied
  /// @param host       must outlive this
  /// @param most_bytes of the device's memory for all noises
  /// @throws what the backend and the host's store throw
  DeviceNoiseStore(const BackendT& backend, Store& host, std::size_t most_bytes)
      : backend_(backend),
        host_(&host),
        uploads_(backend, host.elements()),
        downloads_(backend, host.elements()) {
    if (!Resident::fit(host.groups(), host.elements(), most_bytes)) return;
    resident_.emplace(backend, host.groups(), host.elements());
    is_dirty_.resize(host.groups());
    reload();
  }
  /// The same with half of the device's free memory.
  DeviceNoiseStore(const BackendT& backend, Store& host)
      : DeviceNoiseStore(backend, host, backend.free_bytes() / 2) {}

  /// @returns whether all noises are in the device's memory.
  [[nodiscard]] bool resident() const { return resident_.has_value(); }

  /// @returns the number of noises.
  [[nodiscard]] std::size_t groups() const { return host_->groups(); }
  /// @returns how many numbers a noise has.
  [[nodiscard]] std::size_t elements() const { return host_->elements(); }

  /// Copies the noises of `groups` to `out` [groups, elements()], in the device's memory. Waits for
  /// the device if all noises are there, otherwise only for the host's store.
  /// @throws InvalidArgument for a group or shape that does not fit; what the host's store throws
  void load(std::span<const Index> groups, View<value_type, 2> out) const {
    require_noise_rows(*this, groups, out);
    if (resident_) return resident_->load(groups, out);
    if (!uploads_.brings(groups)) arrive();
    uploads_.load(groups, out, fill(groups));
  }

  /// Takes `noise` [groups, elements()], in the device's memory, as the noises of `groups`. Waits
  /// as load() does.
  /// @throws InvalidArgument for a group or shape that does not fit; what the host's store throws
  void store(std::span<const Index> groups, View<const value_type, 2> noise) {
    require_noise_rows(*this, groups, noise);
    if (resident_) {
      resident_->store(groups, noise);
      for (const Index group : groups) {
        dirty_ += std::size_t{is_dirty_[group] ? 0U : 1U};
        is_dirty_[group] = true;
      }
      return;
    }
    arrive();
    downloads_.begin(groups, noise);
    if (uploads_.brings_any_of(groups)) uploads_.forget();
  }

  /// Begins to bring a batch, if the noises do not stay on the device.
  /// @throws what the host's store throws
  void prefetch(std::span<const Index> groups) {
    if (resident_) return;
    arrive();
    uploads_.prefetch(groups, fill(groups));
  }

  /// @returns the store in the host's memory, as it is.
  [[nodiscard]] Store& host() { return *host_; }
  /// @copydoc host()
  [[nodiscard]] const Store& host() const { return *host_; }

  /// Stores in host() what is not there yet. Waits for the device.
  /// @throws what the host's store throws; nothing is lost then
  void write_back() {
    arrive();
    if (dirty_ == 0) return;
    std::vector<Index> groups;
    for (std::size_t group = 0; group < is_dirty_.size(); ++group) {
      if (is_dirty_[group]) groups.push_back(static_cast<Index>(group));
      if (groups.size() == resident_->stretch() || group + 1 == is_dirty_.size()) {
        write_back(groups);
        groups.clear();
      }
    }
  }

  /// @returns the memory of what is not in host() yet.
  [[nodiscard]] std::size_t dirty_bytes() const {
    return dirty_ * elements() * sizeof(value_type) + downloads_.bytes();
  }

  /// Takes the noise of host(), and forgets what is not there.
  /// @throws what the host's store throws
  void reload() {
    uploads_.forget();
    downloads_.forget();
    if (!resident_) return;
    resident_->upload(
        [&](std::span<const Index> groups, View<value_type, 2> out) { host_->load(groups, out); });
    is_dirty_.assign(is_dirty_.size(), false);
    dirty_ = 0;
  }

 private:
  [[nodiscard]] auto fill(std::span<const Index> groups) const {
    return [this, groups](View<value_type, 2> out) { host_->load(groups, out); };
  }

  /// Stores in host() what is on its way there, so that it can be loaded from there.
  void arrive() const {
    downloads_.arrive([&](std::span<const Index> groups, View<const value_type, 2> noise) {
      host_->store(groups, noise);
    });
  }

  void write_back(std::span<const Index> groups) {
    if (groups.empty()) return;
    const std::array<std::size_t, 2> extents{groups.size(), elements()};
    std::vector<value_type> on_host(extents[0] * extents[1]);
    const auto on_device = scratch<value_type>(backend_, on_host.size());
    resident_->load(groups, View<value_type, 2>(on_device.data(), extents));
    backend_.copy_out(on_device.data(), on_host.size(), on_host.data());
    host_->store(groups, View<const value_type, 2>(on_host.data(), extents));
    for (const Index group : groups) is_dirty_[group] = false;
    dirty_ -= groups.size();
  }

  using Resident = detail::ResidentRows<BackendT, value_type>;

  BackendT backend_;
  Store* host_;  ///< load() may store there what is on its way
  mutable detail::RowUploads<BackendT, value_type> uploads_;
  mutable detail::RowDownloads<BackendT, value_type> downloads_;
  std::optional<Resident> resident_;
  std::vector<bool> is_dirty_;  ///< of each group, while all are on the device
  std::size_t dirty_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
