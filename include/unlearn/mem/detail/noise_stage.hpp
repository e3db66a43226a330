// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/batch_loader.hpp"
#include "unlearn/mem/detail/pass.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn::detail {

/// The distinct perturbed signals of a data set: a signal with one of its noises, and the rows
/// whose images these are. A noise pass visits each of them once.
class PerturbedSignals {
 public:
  struct Cell {
    Index signal;
    Index noise_group;
  };

  template <class Pairs>
  PerturbedSignals(Pairs& pairs, const GroupMap& noise) {
    std::vector<Index> rows(noise.rows());
    std::iota(rows.begin(), rows.end(), Index{0});
    const auto key = [&](Index row) {
      return std::pair(static_cast<Index>(pairs.signal_of(row)), noise.of(row));
    };
    std::ranges::sort(rows, {}, [&](Index row) { return std::pair(key(row), row); });
    std::vector<Index> cell_of_row(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i == 0 || key(rows[i]) != key(rows[i - 1])) {
        cells_.push_back({.signal = key(rows[i]).first, .noise_group = key(rows[i]).second});
      }
      cell_of_row[rows[i]] = static_cast<Index>(cells_.size() - 1);
    }
    rows_ = GroupMap(std::move(cell_of_row), cells_.size());
    exclusive_ = cells_.size() == noise.groups();
  }

  [[nodiscard]] std::size_t size() const { return cells_.size(); }
  [[nodiscard]] const Cell& operator[](std::size_t cell) const { return cells_[cell]; }
  [[nodiscard]] std::span<const Index> rows_of(std::size_t cell) const {
    return rows_.rows_of(cell);
  }
  /// Whether every noise belongs to one signal only.
  [[nodiscard]] bool exclusive() const { return exclusive_; }

 private:
  std::vector<Cell> cells_;
  GroupMap rows_;
  bool exclusive_ = false;
};

/// Level 3 of MEM: δ ← Proj(δ − α · sign ∇_δ L(I + δ, S(T) ⊕ t)), Eq. 5.
///
/// S is drawn anew for every evaluation of the loss, and with it the caption row (so the trigger)
/// that stands for each signal: image i meets one of its own triggers and somebody else's caption.
template <class Mem, class Loader, class Model, class State>
class NoiseStage {
  using Sample = typename Loader::Sample;
  using Delta = typename Loader::Delta;
  static constexpr bool on_lattice = std::is_integral_v<Sample>;

 public:
  NoiseStage(const Mem& mem, Loader& loader, Model& model, State& state)
      : mem_(&mem),
        model_(&model),
        pairs_(&loader.pairs()),
        state_(&state),
        loader_(&loader),
        signals_(loader.pairs(), state.scope.noise) {}

  [[nodiscard]] const PerturbedSignals& signals() const { return signals_; }

  /// All descent steps on one batch of perturbed signals. The noise is stored only when all of
  /// them were finite.
  /// @param next the batch after it
  template <class Rng>
  DescentResult descend(std::span<const Index> cells, std::span<const Index> next, Rng& rng) {
    loader_->load_signals(signals_at(cells));
    detail::prefetch(*pairs_, [&] { return signals_at(next); });
    return signals_.exclusive() ? descend_each(cells, next, rng) : descend_shared(cells, rng);
  }

 private:
  /// The signal of each cell.
  [[nodiscard]] std::vector<Index> signals_at(std::span<const Index> cells) const {
    std::vector<Index> signals(cells.size());
    std::ranges::transform(cells, signals.begin(), [&](Index c) { return signals_[c].signal; });
    return signals;
  }

  /// The noise group of each cell.
  [[nodiscard]] std::vector<Index> noise_groups_at(std::span<const Index> cells) const {
    std::vector<Index> groups(cells.size());
    std::ranges::transform(cells, groups.begin(), [&](Index c) { return signals_[c].noise_group; });
    return groups;
  }

  /// Every place has a noise of its own: the descent runs on the batch itself.
  template <class Rng>
  DescentResult descend_each(std::span<const Index> cells, std::span<const Index> next, Rng& rng) {
    const std::vector<Index> groups = noise_groups_at(cells);
    const auto& policy = loader_->policy();
    const std::array<std::size_t, 2> extents{cells.size(), pairs_->elements()};
    auto noise = scratch<Delta>(policy, extents[0] * extents[1]);
    const View<Delta, 2> delta(noise.data(), extents);
    state_->noise.load(groups, delta);
    detail::prefetch(state_->noise, [&] { return noise_groups_at(next); });
    const DescentResult result = descent().optimize(
        [&](View<const Delta, 2> noise_at, auto... gradient) {
          return evaluate(cells, {.clean = loader_->clean(), .noise = noise_at}, rng, gradient...);
        },
        delta, feasible(loader_->clean(), mem_->box), policy);
    if (result.stop != StopReason::not_finite) state_->noise.store(groups, delta);
    return result;
  }

  template <class Rng>
  DescentResult descend_shared(std::span<const Index> cells, Rng& rng) {
    const auto& policy = loader_->policy();
    const std::size_t elements = pairs_->elements();
    const DistinctGroups shared(noise_groups_at(cells));
    const std::array<std::size_t, 2> extents{shared.groups.size(), elements};
    const PlacedGroups places(policy, shared.local);
    auto noise = scratch<Delta>(policy, extents[0] * extents[1]);
    const View<Delta, 2> delta(noise.data(), extents);
    state_->noise.load(shared.groups, delta);

    auto by_place = scratch<float>(policy, cells.size() * elements);
    const View<float, 2> place_gradient(by_place.data(), {cells.size(), elements});
    const auto objective = [&](View<const Delta, 2> noise_at, auto... gradient) {
      loader_->spread_noise(noise_at, places.group_of_row());
      if constexpr (sizeof...(gradient) == 0) {
        return evaluate(cells, loader_->batch(), rng);
      } else {
        const double loss = evaluate(cells, loader_->batch(), rng, place_gradient);
        places.sum(place_gradient, gradient...);
        return loss;
      }
    };
    // No single signal bounds a shared noise, only the ball does; each signal clips its own copy.
    auto anywhere = scratch<Sample>(policy, delta.size());
    backend_of(policy).fill(on_lattice ? Sample{128} : Sample{0}, delta.size(), anywhere.data());
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const DescentResult result =
        descent().optimize(objective, delta,
                           feasible(View<const Sample, 2>(anywhere.data(), extents),
                                    Box<float>{.low = -infinity, .high = infinity}),
                           policy);
    if (result.stop != StopReason::not_finite) state_->noise.store(shared.groups, delta);
    return result;
  }

  // The loss is drawn anew at every step: its lowest value would say more about the draw than
  // about the noise, so the last iterate is kept.
  [[nodiscard]] auto descent() const {
    auto descent = mem_->descent;
    descent.keep = Keep::last;
    return descent;
  }

  [[nodiscard]] auto feasible(View<const Sample, 2> clean, [[maybe_unused]] Box<float> box) const {
    if constexpr (on_lattice) {
      return PixelGridSet{.lattice = PixelGrid::from(mem_->descent.step, mem_->ball),
                          .clean = clean};
    } else {
      return BallAndBoxSet<float, std::remove_cvref_t<decltype(mem_->ball)>>{
          .ball = mem_->ball, .clean = clean, .box = box};
    }
  }

  /// L(I + δ, S(T) ⊕ t) with a fresh S; with `gradient`, its derivative by δ, too.
  template <class Rng, class... Gradient>
  double evaluate(std::span<const Index> cells, const typename Loader::Batch& batch, Rng& rng,
                  Gradient... gradient) {
    const auto texts = model_->encode_texts(shuffled_texts(cells, rng));
    if constexpr (sizeof...(gradient) == 0) {
      const auto signals = model_->encode_signals(batch);
      return mem_->loss.value(View<const float, 2>(signals), View<const float, 2>(texts),
                              model_->logit_scale());
    } else {
      LossPullback pullback(mem_->loss, texts, model_->logit_scale());
      model_->signal_gradient(batch, pullback, gradient...);
      return pullback.value();
    }
  }

  template <class Rng>
  TokenBatch shuffled_texts(std::span<const Index> cells, Rng& rng) {
    rows_.resize(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::span<const Index> captions = signals_.rows_of(cells[i]);
      rows_[i] = captions[captions.size() == 1 ? 0 : uniform_below(captions.size(), rng)];
    }
    caption_of_.resize(cells.size());
    mem_->shuffle(std::span(caption_of_), rng);
    sequences_.clear();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      sequences_.add(pairs_->caption(rows_[caption_of_[i]]),
                     state_->triggers[state_->scope.triggers.of(rows_[i])]);
    }
    return sequences_.batch();
  }

  const Mem* mem_;
  Model* model_;
  typename Loader::Pairs* pairs_;
  State* state_;
  Loader* loader_;
  PerturbedSignals signals_;
  std::vector<Index> rows_;
  std::vector<Index> caption_of_;
  TokenSequences<std::remove_cvref_t<decltype(std::declval<Mem>().placement)>> sequences_{
      mem_->placement, state_->triggers.length()};
};

}  // namespace unlearn::detail
