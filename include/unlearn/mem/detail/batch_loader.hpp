// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/mem/group_map.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn::detail {

/// Reads the clean signals of a batch and the noise that goes with them.
template <PairSource Pairs, NoiseStore Noise>
class BatchLoader {
 public:
  using Sample = typename Pairs::sample_type;
  using Delta = typename Noise::value_type;
  using Batch = SignalBatch<Sample, Delta>;
  static_assert(std::is_integral_v<Sample> == std::is_integral_v<Delta>,
                "signals of uint8 go with a noise store of int8, signals of float with float");

  BatchLoader(Pairs& pairs, Box<float> box) : pairs_(&pairs), box_(box) {}

  /// Place i of the batch: signal signals[i].
  void load_signals(std::span<const Index> signals) {
    rows_ = signals.size();
    clean_.resize(rows_ * pairs_->elements());
    delta_.resize(clean_.size());
    pairs_->load_signals(signals, View<Sample, 2>(clean_.data(), extents()));
  }

  /// Place i of the batch: the stored noise of group groups[i], as far as its signal has room.
  void load_noise(const Noise& noise, std::span<const Index> groups) {
    noise.load(groups, delta());
    clip();
  }

  /// Place i of the batch: row local.of(i) of `noise`, as far as its signal has room.
  void spread_noise(View<const Delta, 2> noise, const GroupMap& local) {
    for (std::size_t i = 0; i < rows_; ++i) {
      std::ranges::copy(noise.row(local.of(i)), delta().row(i).begin());
    }
    clip();
  }

  [[nodiscard]] View<const Sample, 2> clean() const { return {clean_.data(), extents()}; }
  [[nodiscard]] View<Delta, 2> delta() { return {delta_.data(), extents()}; }
  [[nodiscard]] Batch batch() { return {.clean = clean(), .noise = delta()}; }

 private:
  [[nodiscard]] std::array<std::size_t, 2> extents() const { return {rows_, pairs_->elements()}; }

  // A noise that several signals share can leave the valid range of one of them. What is published
  // is the clipped sum, so that is what the model meets.
  void clip() {
    for (std::size_t i = 0; i < delta_.size(); ++i) {
      if constexpr (std::is_integral_v<Sample>) {
        delta_[i] = static_cast<Delta>(std::clamp<int>(delta_[i], -clean_[i], 255 - clean_[i]));
      } else {
        delta_[i] = std::clamp(delta_[i], box_.low - clean_[i], box_.high - clean_[i]);
      }
    }
  }

  Pairs* pairs_;
  Box<float> box_;
  std::size_t rows_ = 0;
  std::vector<Sample> clean_;
  std::vector<Delta> delta_;
};

}  // namespace unlearn::detail
