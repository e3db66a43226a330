// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/contrast/caption_shuffle.hpp"
#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/gradient_check.hpp"
#include "unlearn/mem/detail/groups.hpp"
#include "unlearn/mem/detail/idle_run.hpp"
#include "unlearn/mem/pass.hpp"
#include "unlearn/mem/perturbed_signal.hpp"
#include "unlearn/mem/stage.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/box.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/sign_step.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// The name of NoiseStage.
inline constexpr std::string_view noise_stage = "noise";

/// The policies of a noise descent.
template <class Ball, class Loss, StepRule Rule = SignStep>
struct NoiseDescentPolicies {
  ProjectedDescent<Rule> descent{};  ///< `keep` is ignored: the loss is drawn anew at each step
  Ball ball;                         ///< the bound of each noise
  Box<float> box{};                  ///< valid range of float signals
  CaptionShuffle shuffle{};          ///< of the captions of a batch
  Loss loss{};                       ///< L
};

/// Level 3 of MEM: δ ← Proj(δ − α · sign ∇_δ L(I + δ, S(T) ⊕ t)), Eq. 5.
///
/// It visits every perturbed signal once a round. The shuffle S of the captions is drawn anew for
/// every evaluation of the loss. So is the row of each signal that has several, and with it the
/// trigger: image i is paired with one of its own triggers and the caption of another image.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5.
///
/// @tparam Loader BatchLoader
/// @tparam Texts  `texts(caption_rows, trigger_rows)` gives texts: CaptionTexts
template <class Policies, class Loader, class Store, class Texts, class Model>
class NoiseStage {
  using Sample = typename Loader::Sample;
  using Delta = typename Loader::Delta;
  using Batch = typename Loader::Batch;
  static constexpr bool on_grid = std::is_integral_v<Sample>;

 public:
  /// The stage's name in events, traces and checkpoints.
  static constexpr std::string_view name = noise_stage;

  /// What the stage works with; the references must outlive it.
  struct Parts {
    Loader& loader;  ///< gives batches of signals and their noise
    Store& noise;    ///< changed in place
    Texts& texts;    ///< gives the texts that the signals are paired with
    Model& model;    ///< gives embeddings and gradients
  };

  /// @param policies   how the noise is improved
  /// @param parts      what the stage works with
  /// @param signals    the signals that a pass visits
  /// @param batch_size the most perturbed signals in a batch
  /// @param progress   the part of the progress that the stage writes; must outlive it
  /// @throws InvalidArgument when the descent has steps, and its settings are invalid or cannot
  ///         move the noise: its step is 0, the ball contains only 0, or a batch has fewer pairs
  ///         than the loss needs
  NoiseStage(const Policies& policies, const Parts& parts, PerturbedSignals signals,
             std::size_t batch_size, PassProgress& progress)
      : policies_(policies),
        parts_(parts),
        signals_(std::move(signals)),
        pass_({.count = policies.descent.steps > 0 ? signals_.size() : 0, .batch_size = batch_size},
              progress) {
    if (pass_.batches() == 0) return;
    policies.descent.validate();
    detail::require_movement(policies.descent.step);
    detail::require_room(policies.ball, parts.noise.elements());
    if constexpr (on_grid) {
      detail::require_levels(PixelGrid::from(policies.descent.step, policies.ball));
    }
    detail::require_enough_pairs<std::remove_cvref_t<decltype(policies.loss)>>(
        name, pass_.cut().smallest_batch());
  }

  /// The number of batches, the same in every round; 0 if the descent has no steps.
  [[nodiscard]] std::size_t batches(std::uint32_t /*round*/) const { return pass_.batches(); }

  /// All descent steps on one batch of perturbed signals.
  /// @param at  the batch that is due
  /// @param rng the run's generator
  /// @returns the loss after the last step; nothing when a loss or a gradient is not finite, and
  ///          then the noise is unchanged
  /// @throws InvalidArgument when the model's signal_gradient does not call its pullback once, or
  ///         does not write the whole gradient, and for a float signal outside the box
  template <std::uniform_random_bit_generator Rng>
  std::optional<double> run(const StageBatch& at, Rng& rng) {
    const std::span<const Index> batch = pass_.batch(at, rng);
    const std::vector<PerturbedSignal> now = signals_.at(batch);
    const std::vector<PerturbedSignal> next = signals_.at(pass_.next(at));
    const std::vector<Index> groups = noise_groups_of(now);
    DescentResult found{};
    if (signals_.exclusive()) {
      parts_.loader.load(std::span(now), std::span(next));
      found = descend_each(batch, groups, rng);
    } else {
      parts_.loader.load_clean(now, next);
      found = descend_shared(batch, groups, rng);
    }
    evaluations_ += static_cast<std::size_t>(found.evaluations);
    if (found.stop == StopReason::not_finite) return std::nullopt;
    return found.value;
  }

  /// Copies noise that is in a device's memory to the host.
  void finish() { detail::write_back(parts_.noise); }

  /// How often the loss has been evaluated so far.
  [[nodiscard]] std::size_t evaluations() const { return evaluations_; }

 private:
  /// Every signal has a noise of its own: the descent runs on the loaded batch itself.
  template <class Rng>
  DescentResult descend_each(std::span<const Index> batch, std::span<const Index> groups,
                             Rng& rng) {
    const View<Delta, 2> delta = parts_.loader.delta();
    const DescentResult found = descent().optimize(
        [&](View<const Delta, 2> noise, auto... gradient) {
          return evaluate(batch, {.clean = parts_.loader.clean(), .noise = noise}, rng,
                          gradient...);
        },
        delta, feasible(parts_.loader.clean(), policies_.box), parts_.loader.policy());
    if (found.stop != StopReason::not_finite) parts_.noise.store(groups, delta);
    return found;
  }

  /// Signals share noises: the descent runs on the distinct noises of the batch, and their
  /// gradients are summed.
  template <class Rng>
  DescentResult descend_shared(std::span<const Index> batch, std::span<const Index> groups,
                               Rng& rng) {
    const auto& policy = parts_.loader.policy();
    const std::size_t elements = parts_.noise.elements();
    const detail::DistinctGroups shared(groups);
    const std::array<std::size_t, 2> extents{shared.groups.size(), elements};
    const detail::PlacedGroups places(policy, shared.local);
    auto noise = scratch<Delta>(policy, extents[0] * extents[1]);
    const View<Delta, 2> delta(noise.data(), extents);
    parts_.noise.load(shared.groups, delta);

    auto by_signal = scratch<float>(policy, batch.size() * elements);
    const View<float, 2> signal_gradient(by_signal.data(), {batch.size(), elements});
    const auto objective = [&](View<const Delta, 2> noise_at, auto... gradient) {
      const Batch perturbed = parts_.loader.with_noise(noise_at, places.group_of_row());
      if constexpr (sizeof...(gradient) == 0) {
        return evaluate(batch, perturbed, rng);
      } else {
        const double loss = evaluate(batch, perturbed, rng, signal_gradient);
        places.sum(signal_gradient, gradient...);
        return loss;
      }
    };
    // No single signal bounds a shared noise, only the ball does; each signal clips its own copy.
    auto anywhere = scratch<Sample>(policy, delta.size());
    backend_of(policy).fill(on_grid ? Sample{128} : Sample{0}, delta.size(), anywhere.data());
    using Limits = std::numeric_limits<float>;
    const DescentResult found =
        descent().optimize(objective, delta,
                           feasible(View<const Sample, 2>(anywhere.data(), extents),
                                    Box<float>{.low = Limits::lowest(), .high = Limits::max()}),
                           policy);
    if (found.stop != StopReason::not_finite) parts_.noise.store(shared.groups, delta);
    return found;
  }

  // The loss is drawn anew at each step. Its lowest value would depend more on the draw than on the
  // noise, so the last iterate is kept.
  [[nodiscard]] auto descent() const {
    auto descent = policies_.descent;
    descent.keep = Keep::last;
    return descent;
  }

  [[nodiscard]] auto feasible(View<const Sample, 2> clean, [[maybe_unused]] Box<float> box) const {
    using Ball = std::remove_cvref_t<decltype(policies_.ball)>;
    static_assert(!RowwiseBall<Ball, float>,
                  "a ball per row belongs to one batch, and a run has many: give it one ball");
    if constexpr (on_grid) {
      return PixelGridSet{.lattice = PixelGrid::from(policies_.descent.step, policies_.ball),
                          .clean = clean};
    } else {
      return BallAndBoxSet<float, Ball>{.ball = policies_.ball, .clean = clean, .box = box};
    }
  }

  /// L(I + δ, S(T) ⊕ t) with a new S. If there is a `gradient`, also ∂L/∂δ.
  template <class Rng, class... Gradient>
  double evaluate(std::span<const Index> batch, const Batch& perturbed, Rng& rng,
                  Gradient... gradient) {
    Model& model = parts_.model;
    const auto texts = model.encode_texts(shuffled_texts(batch, rng));
    if constexpr (sizeof...(gradient) == 0) {
      const auto signals = model.encode_signals(perturbed);
      return bound_loss(policies_.loss, model)
          .value(View<const float, 2>(signals), View<const float, 2>(texts), model.logit_scale());
    } else {
      LossPullback pullback(bound_loss(policies_.loss, model), texts, model.logit_scale());
      const auto& policy = parts_.loader.policy();
      (gradient_check_.before(policy, gradient), ...);
      model.signal_gradient(perturbed, pullback, gradient...);
      (gradient_check_.after(policy, gradient, pullback.calls()), ...);
      return pullback.value();
    }
  }

  template <class Rng>
  TokenBatch shuffled_texts(std::span<const Index> batch, Rng& rng) {
    rows_.resize(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::span<const Index> captions = signals_.rows_of(batch[i]);
      rows_[i] = captions[captions.size() == 1 ? 0 : uniform_below(captions.size(), rng)];
    }
    std::vector<Index> caption_of(batch.size());
    policies_.shuffle(std::span(caption_of), rng);
    caption_rows_.resize(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) caption_rows_[i] = rows_[caption_of[i]];
    return parts_.texts(caption_rows_, rows_);
  }

  Policies policies_;
  Parts parts_;
  PerturbedSignals signals_;
  Pass pass_;
  detail::GradientCheck gradient_check_{"signal_gradient"};
  std::vector<Index> rows_;          ///< the row that is drawn for each signal of the batch
  std::vector<Index> caption_rows_;  ///< the row whose caption it is paired with
  std::size_t evaluations_ = 0;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
