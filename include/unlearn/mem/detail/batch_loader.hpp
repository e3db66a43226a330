// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace unlearn::detail {

/// The clean signals of a batch and the noise that goes with them, in the memory of a policy. The
/// stages of a run share one, as they take turns.
template <ExecutionPolicy P, PairSource PairsT, NoiseStore NoiseT>
class BatchLoader {
 public:
  using Pairs = PairsT;
  using Sample = typename PairsT::sample_type;
  using Delta = typename NoiseT::value_type;
  using Batch = SignalBatch<Sample, Delta>;
  static_assert(std::is_integral_v<Sample> == std::is_integral_v<Delta>,
                "signals of uint8 go with a noise store of int8, signals of float with float");

  /// @param rows the most in a batch
  BatchLoader(const P& policy, PairsT& pairs, Box<float> box, std::size_t rows)
      : policy_(&policy),
        pairs_(&pairs),
        box_(box),
        clean_(scratch<Sample>(policy, rows * pairs.elements())),
        delta_(scratch<Delta>(policy, rows * pairs.elements())) {}

  /// The policy in whose memory everything is.
  [[nodiscard]] const P& policy() const { return *policy_; }
  /// Where the signals come from.
  [[nodiscard]] PairsT& pairs() const { return *pairs_; }

  /// Place i of the batch: signal signals[i].
  void load_signals(std::span<const Index> signals) {
    rows_ = signals.size();
    pairs_->load_signals(signals, View<Sample, 2>(clean_.data(), extents()));
  }

  /// Place i of the batch: the stored noise of group groups[i], as far as its signal has room.
  void load_noise(const NoiseT& noise, std::span<const Index> groups) {
    noise.load(groups, delta());
    clip();
  }

  /// Place i of the batch: row places[i] of `noise`, as far as its signal has room.
  void spread_noise(View<const Delta, 2> noise, View<const Index, 1> places) {
    backend_of(*policy_).gather_rows(noise, places, delta());
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
    if constexpr (std::is_integral_v<Sample>) {
      PixelGridSet{.lattice = {.radius = PixelGrid::max_radius}, .clean = clean()}.project(*policy_,
                                                                                           delta());
    } else {
      constexpr double no_bound = std::numeric_limits<double>::infinity();
      BallAndBoxSet<Sample, LinfBall<>>{.ball = {.radius = no_bound}, .clean = clean(), .box = box_}
          .project(*policy_, delta());
    }
  }

  const P* policy_;
  PairsT* pairs_;
  Box<float> box_;
  std::size_t rows_ = 0;
  ScratchOf<Sample, P> clean_;
  ScratchOf<Delta, P> delta_;
};

/// Tells a source of signals, or of noise, which of them come next, if it wants to know.
/// @param name name() makes the list, empty where nothing comes
template <class Source, class Names>
void prefetch(Source& source, const Names& name) {
  if constexpr (requires(std::span<const Index> names) { source.prefetch(names); }) {
    const std::vector<Index> names = name();
    if (!names.empty()) source.prefetch(std::span<const Index>(names));
  } else {
    static_assert(
        !requires { &Source::prefetch; },
        "prefetch() of a pair source or a noise store must take a "
        "std::span<const unlearn::Index>");
  }
}

}  // namespace unlearn::detail
