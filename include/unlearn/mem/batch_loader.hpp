// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

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
#include "unlearn/mem/detail/box_check.hpp"
#include "unlearn/mem/perturbed_signal.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace unlearn {

namespace detail {

/// Tells a source which signals, or which noises, come next, if it has a function for that.
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

/// Loads the clean signals I of a batch and their noise δ, [B, elements] each, into the memory of a
/// policy. The stages of a run share one loader: a batch is valid until the next one is loaded.
///
/// Float signals must be in the box. Each is checked the first time that it is loaded; a device's
/// signals are copied to the host for that.
template <ExecutionPolicy P, PairSource PairsT, NoiseStore NoiseT>
class BatchLoader {
 public:
  /// Where the signals come from.
  using Pairs = PairsT;
  /// The type of the numbers of a signal.
  using Sample = typename PairsT::sample_type;
  /// The type of the numbers of a noise.
  using Delta = typename NoiseT::value_type;
  /// The batches that a model gets.
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

  /// @param policy  the batches are in its memory; must outlive the loader
  /// @param sources what it refers to must outlive the loader
  /// @param rows    the most rows in a batch
  BatchLoader(const P& policy, const Sources& sources, std::size_t rows)
      : policy_(&policy),
        sources_(sources),
        box_check_(sources.box, std::is_integral_v<Sample> ? 0 : sources.pairs.signals()),
        clean_(scratch<Sample>(policy, rows * sources.pairs.elements())),
        delta_(scratch<Delta>(policy, rows * sources.pairs.elements())) {}

  /// The policy; the batches are in its memory.
  [[nodiscard]] const P& policy() const { return *policy_; }

  /// Loads perturbed signals. Each noise is clipped so that I + δ is in the valid range.
  /// @param batch the signals and their noise groups
  /// @param next  the batch after it, which a source may prefetch; empty if it is not known
  /// @throws InvalidArgument for a float signal that is outside the box or not finite
  Batch load(std::span<const PerturbedSignal> batch, std::span<const PerturbedSignal> next) {
    load_clean(batch, next);
    sources_.noise.load(noise_groups_of(batch), delta());
    detail::prefetch(sources_.noise, noise_groups_of(next));
    return clipped();
  }

  /// Loads only the clean signals; with_noise() then adds the noise.
  /// @param batch the signals; their noise groups have no effect
  /// @param next  the batch after it, which a source may prefetch; empty if it is not known
  /// @throws InvalidArgument for a float signal that is outside the box or not finite
  void load_clean(std::span<const PerturbedSignal> batch, std::span<const PerturbedSignal> next) {
    size_ = batch.size();
    const std::vector<Index> signals = signals_of(batch);
    sources_.pairs.load_signals(signals, View<Sample, 2>(clean_.data(), extents()));
    if constexpr (!std::is_integral_v<Sample>) box_check_(*policy_, signals, clean());
    detail::prefetch(sources_.pairs, signals_of(next));
  }

  /// Loads the perturbed signals of rows, with the noise of their groups, clipped as above.
  /// @param rows the rows of the batch
  /// @param next the rows of the batch after it; empty if they are not known
  /// @throws InvalidArgument for a float signal that is outside the box or not finite
  Batch load(std::span<const Index> rows, std::span<const Index> next) {
    return load(perturbed_signals_of(sources_.pairs, sources_.scope, rows),
                perturbed_signals_of(sources_.pairs, sources_.scope, next));
  }

  /// Gives the loaded signals another noise, clipped as above.
  /// @param noise  [n, elements]
  /// @param places [B]; signal i gets row places[i] of `noise`
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

  // With a noise that several signals share, I + δ can leave the valid range. The clipped sum is
  // published, so the model must get the clipped sum, too.
  Batch clipped() {
    if constexpr (std::is_integral_v<Sample>) {
      PixelGridSet{.lattice = {.radius = PixelGrid::max_radius}, .clean = clean()}.project(*policy_,
                                                                                           delta());
    } else {
      constexpr double no_bound = std::numeric_limits<Sample>::max();
      BallAndBoxSet<Sample, LinfBall<>>{
          .ball = {.radius = no_bound}, .clean = clean(), .box = sources_.box}
          .project(*policy_, delta());
    }
    return {.clean = clean(), .noise = delta()};
  }

  const P* policy_;
  Sources sources_;
  std::size_t size_ = 0;
  detail::BoxCheck box_check_;
  ScratchOf<Sample, P> clean_;
  ScratchOf<Delta, P> delta_;
};

/// Loads clean signals without noise, [B, elements] in the host's memory: for plain training.
template <PairSource PairsT>
class CleanLoader {
 public:
  /// The type of the numbers of a signal.
  using Sample = typename PairsT::sample_type;
  /// The batches that a model gets; their noise is empty.
  using Batch = SignalBatch<Sample, noise_of_t<PairsT>>;

  /// @param pairs must outlive the loader
  explicit CleanLoader(PairsT& pairs) : pairs_(&pairs) {}

  /// Loads the signals of rows; the batch is valid until the next call.
  /// @param rows the rows of the batch
  /// @param next the rows of the batch after it, which the source may prefetch; may be empty
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

#include "unlearn/core/pop_macros.hpp"
