// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/group_map.hpp"

namespace unlearn {

/// A signal together with one of the noises that are added to it.
struct PerturbedSignal {
  Index signal = 0;       ///< its number in the pair source
  Index noise_group = 0;  ///< the number of its noise in the noise store

  /// Whether signals and noises are the same.
  friend bool operator==(const PerturbedSignal&, const PerturbedSignal&) = default;
};

/// The signal of each element of `batch`.
[[nodiscard]] inline std::vector<Index> signals_of(std::span<const PerturbedSignal> batch) {
  std::vector<Index> signals(batch.size());
  std::ranges::transform(batch, signals.begin(), &PerturbedSignal::signal);
  return signals;
}

/// The noise group of each element of `batch`.
[[nodiscard]] inline std::vector<Index> noise_groups_of(std::span<const PerturbedSignal> batch) {
  std::vector<Index> groups(batch.size());
  std::ranges::transform(batch, groups.begin(), &PerturbedSignal::noise_group);
  return groups;
}

/// The perturbed signal of each of `rows`.
/// @param pairs the rows and their signals
/// @param noise which rows share a noise
/// @param rows  the rows
template <PairSource Pairs>
[[nodiscard]] std::vector<PerturbedSignal> perturbed_signals_of(Pairs& pairs, const GroupMap& noise,
                                                                std::span<const Index> rows) {
  std::vector<PerturbedSignal> signals(rows.size());
  std::ranges::transform(rows, signals.begin(), [&](Index row) {
    return PerturbedSignal{.signal = static_cast<Index>(pairs.signal_of(row)),
                           .noise_group = noise.of(row)};
  });
  return signals;
}

/// The distinct perturbed signals of a data set, and the rows of each. A noise pass visits each of
/// these signals once.
class PerturbedSignals {
 public:
  /// @param pairs the rows and their signals
  /// @param noise which rows share a noise; it has as many rows as `pairs`
  template <PairSource Pairs>
  PerturbedSignals(Pairs& pairs, const GroupMap& noise) {
    std::vector<Index> rows(noise.rows());
    std::iota(rows.begin(), rows.end(), Index{0});
    const auto key = [&](Index row) {
      return std::pair(static_cast<Index>(pairs.signal_of(row)), noise.of(row));
    };
    std::ranges::sort(rows, {}, [&](Index row) { return std::pair(key(row), row); });
    std::vector<Index> number_of_row(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i == 0 || key(rows[i]) != key(rows[i - 1])) {
        signals_.push_back({.signal = key(rows[i]).first, .noise_group = key(rows[i]).second});
      }
      number_of_row[rows[i]] = static_cast<Index>(signals_.size() - 1);
    }
    rows_ = GroupMap(std::move(number_of_row), signals_.size());
    exclusive_ = signals_.size() == noise.groups();
  }

  /// The number of perturbed signals.
  [[nodiscard]] std::size_t size() const { return signals_.size(); }
  /// Perturbed signal `number`.
  [[nodiscard]] const PerturbedSignal& operator[](std::size_t number) const {
    return signals_[number];
  }
  /// The perturbed signals with these numbers.
  [[nodiscard]] std::vector<PerturbedSignal> at(std::span<const Index> numbers) const {
    std::vector<PerturbedSignal> signals(numbers.size());
    std::ranges::transform(numbers, signals.begin(), [&](Index n) { return signals_[n]; });
    return signals;
  }
  /// The rows of perturbed signal `number`, ascending.
  [[nodiscard]] std::span<const Index> rows_of(std::size_t number) const {
    return rows_.rows_of(number);
  }
  /// Whether each noise belongs to only one signal.
  [[nodiscard]] bool exclusive() const { return exclusive_; }

 private:
  std::vector<PerturbedSignal> signals_;
  GroupMap rows_;
  bool exclusive_ = false;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
