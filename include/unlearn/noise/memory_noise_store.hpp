// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn {

/// Noise in memory: all zero at first.
template <NoiseValue N = std::int8_t>
class MemoryNoiseStore {
 public:
  /// What one number of the noise is stored as.
  using value_type = N;

  /// @throws InvalidArgument when groups · elements is more than memory can be addressed for, or
  ///         when there are more groups than an Index can number
  MemoryNoiseStore(std::size_t groups, std::size_t elements)
      : groups_(groups), elements_(elements) {
    const std::size_t numbers = require_addressable<N>("groups of noise", groups, elements);
    require_numbered("groups of noise", groups);
    noise_.resize(numbers);
  }

  /// @returns the number of noises.
  [[nodiscard]] std::size_t groups() const { return groups_; }
  /// @returns how many numbers a noise has.
  [[nodiscard]] std::size_t elements() const { return elements_; }

  /// Copies the noises of `groups` to `out` [n, elements].
  /// @throws InvalidArgument for a group or shape that does not fit
  void load(std::span<const Index> groups, View<N, 2> out) const {
    require_noise_rows(*this, groups, out);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::ranges::copy(view().row(groups[i]), out.row(i).begin());
    }
  }

  /// Takes `noise` [n, elements] as the noises of `groups`.
  /// @throws InvalidArgument for a group or shape that does not fit
  void store(std::span<const Index> groups, View<const N, 2> noise) {
    require_noise_rows(*this, groups, noise);
    const View<N, 2> rows(noise_.data(), {groups_, elements_});
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::ranges::copy(noise.row(i), rows.row(groups[i]).begin());
    }
  }

  /// @returns all noises, [groups, elements].
  [[nodiscard]] View<const N, 2> view() const { return {noise_.data(), {groups_, elements_}}; }

 private:
  std::size_t groups_;
  std::size_t elements_;
  std::vector<N> noise_;
};

static_assert(NoiseStore<MemoryNoiseStore<std::int8_t>> && NoiseStore<MemoryNoiseStore<float>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
