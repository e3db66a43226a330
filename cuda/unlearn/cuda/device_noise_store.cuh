// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/row_transfers.cuh"
#include "unlearn/cuda/device.cuh"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn::cuda {

/// Noise that comes to a device's memory: a HostBackedNoiseStore over another store, its home,
/// which is MappedNoiseStore, MemoryNoiseStore or one of yours.
///
/// All noises stay on the device when they fit into `most_bytes`; they are brought home at
/// checkpoints and at the end of a run. Else each batch is brought from its home and back, through
/// pinned memory, while the device works on.
///
/// What has not been brought home is lost with this object.
/// @tparam Home a store in the host's memory
/// @tparam DeviceT a Device
template <NoiseStore Home, class DeviceT>
class DeviceNoiseStore {
 public:
  /// What one number of the noise is stored as.
  using value_type = typename Home::value_type;

  /// @param device     copied; on the stream of its context
  /// @param home       must outlive this
  /// @param most_bytes of the device's memory for all noises
  DeviceNoiseStore(const DeviceT& device, Home& home, std::size_t most_bytes)
      : device_(device),
        home_(&home),
        uploads_(device, home.elements()),
        downloads_(device, home.elements()) {
    if (!Resident::fit(home.groups(), home.elements(), most_bytes)) return;
    resident_.emplace(device, home.groups(), home.elements());
    is_away_.resize(home.groups());
    reload();
  }
  /// The same with half of what is free.
  DeviceNoiseStore(const DeviceT& device, Home& home)
      : DeviceNoiseStore(device, home, half_of_free_memory(device)) {}

  /// Whether all noises are in the device's memory.
  [[nodiscard]] bool resident() const { return resident_.has_value(); }

  /// The number of noises.
  [[nodiscard]] std::size_t groups() const { return home_->groups(); }
  /// Numbers in one noise.
  [[nodiscard]] std::size_t elements() const { return home_->elements(); }

  /// Copies the noises of `groups` to `out` [n, elements], in the device's memory. Waits until the
  /// device has come to here if all noises are there; else for nothing but their home.
  /// @throws InvalidArgument for a group or shape that does not fit
  void load(std::span<const Index> groups, View<value_type, 2> out) const {
    unlearn::require_noise_rows(*this, groups, out);
    if (resident_) return resident_->load(device_, groups, out);
    if (!uploads_.brings(groups)) arrive();
    uploads_.load(device_, groups, out, fill(groups));
  }

  /// Takes `noise` [n, elements], in the device's memory, as the noises of `groups`. Waits as
  /// above.
  /// @throws InvalidArgument for a group or shape that does not fit
  void store(std::span<const Index> groups, View<const value_type, 2> noise) {
    unlearn::require_noise_rows(*this, groups, noise);
    if (resident_) {
      resident_->store(device_, groups, noise);
      for (const Index group : groups) {
        away_ += std::size_t{is_away_[group] ? 0U : 1U};
        is_away_[group] = true;
      }
      return;
    }
    arrive();
    downloads_.begin(device_, groups, noise);
    if (uploads_.brings_any_of(groups)) uploads_.forget();
  }

  /// Begins to bring a batch, if the noises do not stay on the device.
  void prefetch(std::span<const Index> groups) {
    if (resident_) return;
    arrive();
    uploads_.prefetch(device_, groups, fill(groups));
  }

  /// The store in the host's memory, as it is.
  [[nodiscard]] Home& host() { return *home_; }
  [[nodiscard]] const Home& host() const { return *home_; }

  /// Stores in the home what is not there. Waits for the device.
  void write_back() {
    arrive();
    if (away_ == 0) return;
    std::vector<Index> groups;
    for (std::size_t group = 0; group < is_away_.size(); ++group) {
      if (is_away_[group]) groups.push_back(static_cast<Index>(group));
      if (groups.size() == resident_->stretch() || group + 1 == is_away_.size()) {
        write_back(groups);
        groups.clear();
      }
    }
  }

  /// The memory of what is not at home.
  [[nodiscard]] std::size_t dirty_bytes() const {
    return away_ * elements() * sizeof(value_type) + downloads_.bytes();
  }

  /// Takes the home's noise, and forgets what is not there.
  void reload() {
    uploads_.forget();
    downloads_.forget();
    if (!resident_) return;
    resident_->upload(device_, [&](std::span<const Index> groups, View<value_type, 2> out) {
      home_->load(groups, out);
    });
    std::fill(is_away_.begin(), is_away_.end(), false);
    away_ = 0;
  }

 private:
  [[nodiscard]] auto fill(std::span<const Index> groups) const {
    return [this, groups](View<value_type, 2> out) { home_->load(groups, out); };
  }

  /// Stores at home what is on its way there: what is at home then can be loaded.
  void arrive() const {
    downloads_.arrive([&](std::span<const Index> groups, View<const value_type, 2> noise) {
      home_->store(groups, noise);
    });
  }

  void write_back(std::span<const Index> groups) {
    if (groups.empty()) return;
    const std::array<std::size_t, 2> extents{groups.size(), elements()};
    std::vector<value_type> here(extents[0] * extents[1]);
    const auto there = scratch_on<value_type>(device_, here.size());
    resident_->load(device_, groups, View<value_type, 2>(there.data(), extents));
    copy_out_on(device_, there.data(), here.size(), here.data());
    home_->store(groups, View<const value_type, 2>(here.data(), extents));
    for (const Index group : groups) is_away_[group] = false;
    away_ -= groups.size();
  }

  using Resident = detail::ResidentRows<value_type, DeviceT>;

  DeviceT device_;
  Home* home_;  ///< what load() finds on its way is brought home first
  mutable detail::RowUploads<value_type, DeviceT> uploads_;
  mutable detail::RowDownloads<value_type, DeviceT> downloads_;
  std::optional<Resident> resident_;
  std::vector<bool> is_away_;  ///< of each group, while all are on the device
  std::size_t away_ = 0;
};

}  // namespace unlearn::cuda
