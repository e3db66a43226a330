// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/mem/perturbed_signal.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace unlearn {

namespace detail {

/// Tells a source of signals, or of noise, which of them come next, if it wants to know.
template <class Source>
void prefetch(Source& source, const std::vector<Index>& next) {
  if constexpr (requires(std::span<const Index> names) { source.prefetch(names); }) {
    if (!next.empty()) source.prefetch(std::span<const Index>(next));
  } else {
    static_assert(
        !requires { &Source::prefetch; },
        "prefetch() of a pair source or a noise store must take a "
        "std::span<const unlearn::Index>");
  }
}

}  // namespace detail

/// Loads the clean signals of a batch and the noise that goes with them, into the memory of a
/// policy. The stages of a run share one loader, as they take turns: a batch is valid until the
/// next call of load().
template <ExecutionPolicy P, PairSource PairsT, NoiseStore NoiseT>
class BatchLoader {
 public:
  /// Where the signals come from.
  using Pairs = PairsT;
  /// What one number of a signal is.
  using Sample = typename PairsT::sample_type;
  /// What one number of a noise is.
  using Delta = typename NoiseT::value_type;
  /// What a model is given.
  using Batch = SignalBatch<Sample, Delta>;
  static_assert(std::is_integral_v<Sample> == std::is_integral_v<Delta>,
                "signals of uint8 go with a noise store of int8, signals of float with float");

  /// What a batch is made of.
  struct Sources {
    PairsT& pairs;          ///< the clean signals
    NoiseT& noise;          ///< the noises
    const GroupMap& scope;  ///< which row has which noise
    Box<float> box;         ///< valid range of float signals
  };

  /// @param policy  in whose memory the batches are
  /// @param sources must outlive the loader
  /// @param rows    the most in a batch
  BatchLoader(const P& policy, const Sources& sources, std::size_t rows)
      : policy_(&policy),
        sources_(sources),
        clean_(scratch<Sample>(policy, rows * sources.pairs.elements())),
        delta_(scratch<Delta>(policy, rows * sources.pairs.elements())) {}

  /// The policy in whose memory everything is.
  [[nodiscard]] const P& policy() const { return *policy_; }

  /// Loads these perturbed signals, each noise as far as its signal has room for it.
  /// @param next the batch after it, which a source may prefetch; empty if nothing is known of it
  Batch load(std::span<const PerturbedSignal> batch, std::span<const PerturbedSignal> next) {
    load_clean(batch, next);
    sources_.noise.load(noise_groups_of(batch), delta());
    detail::prefetch(sources_.noise, noise_groups_of(next));
    return clipped();
  }

  /// Loads the clean signals alone; with_noise() then gives them a noise.
  void load_clean(std::span<const PerturbedSignal> batch, std::span<const PerturbedSignal> next) {
    size_ = batch.size();
    sources_.pairs.load_signals(signals_of(batch), View<Sample, 2>(clean_.data(), extents()));
    detail::prefetch(sources_.pairs, signals_of(next));
  }

  /// Loads the perturbed signals of these rows.
  Batch load(std::span<const Index> rows, std::span<const Index> next) {
    return load(perturbed_signals_of(sources_.pairs, sources_.scope, rows),
                perturbed_signals_of(sources_.pairs, sources_.scope, next));
  }

  /// The loaded batch with other noise: signal i gets row places[i] of `noise`, as far as it has
  /// room for it.
  Batch with_noise(View<const Delta, 2> noise, View<const Index, 1> places) {
    backend_of(*policy_).gather_rows(noise, places, delta());
    return clipped();
  }

  /// The clean signals of the loaded batch, [B, elements].
  [[nodiscard]] View<const Sample, 2> clean() const { return {clean_.data(), extents()}; }
  /// The noise of the loaded batch, [B, elements]; it may be changed.
  [[nodiscard]] View<Delta, 2> delta() { return {delta_.data(), extents()}; }

 private:
  [[nodiscard]] std::array<std::size_t, 2> extents() const {
    return {size_, sources_.pairs.elements()};
  }

  // A noise that several signals share can leave the valid range of one of them. What is published
  // is the clipped sum, so that is what the model meets.
  Batch clipped() {
    if constexpr (std::is_integral_v<Sample>) {
      PixelGridSet{.lattice = {.radius = PixelGrid::max_radius}, .clean = clean()}.project(*policy_,
                                                                                           delta());
    } else {
      constexpr double no_bound = std::numeric_limits<double>::infinity();
      BallAndBoxSet<Sample, LinfBall<>>{
          .ball = {.radius = no_bound}, .clean = clean(), .box = sources_.box}
          .project(*policy_, delta());
    }
    return {.clean = clean(), .noise = delta()};
  }

  const P* policy_;
  Sources sources_;
  std::size_t size_ = 0;
  ScratchOf<Sample, P> clean_;
  ScratchOf<Delta, P> delta_;
};

/// Loads clean signals without any noise: what plain training takes its batches from.
template <PairSource PairsT>
class CleanLoader {
 public:
  /// What one number of a signal is.
  using Sample = typename PairsT::sample_type;
  /// What a model is given; its noise is empty.
  using Batch = SignalBatch<Sample, noise_of_t<PairsT>>;

  /// @param pairs must outlive the loader
  explicit CleanLoader(PairsT& pairs) : pairs_(&pairs) {}

  /// Loads the signals of these rows; valid until the next call.
  /// @param next the batch after it, which the source may prefetch
  Batch load(std::span<const Index> rows, std::span<const Index> next) {
    clean_.resize(rows.size() * pairs_->elements());
    const View<Sample, 2> clean(clean_, {rows.size(), pairs_->elements()});
    pairs_->load_signals(signals_of(rows), clean);
    detail::prefetch(*pairs_, signals_of(next));
    return {.clean = clean, .noise = {}};
  }

 private:
  [[nodiscard]] std::vector<Index> signals_of(std::span<const Index> rows) const {
    std::vector<Index> signals(rows.size());
    std::ranges::transform(rows, signals.begin(),
                           [&](Index row) { return static_cast<Index>(pairs_->signal_of(row)); });
    return signals;
  }

  PairsT* pairs_;
  std::vector<Sample> clean_;
};

}  // namespace unlearn
