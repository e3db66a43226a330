// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/adamw.h>

#include <cstdint>

#include "clip/model/model.hpp"

namespace unlearn::clip {

/// How fast a model learns, step by step.
///
/// Without `steps` the rate is constant. With them it rises linearly over `warmup` steps and then
/// falls along a half cosine: rate·(t + 1)/warmup for t < warmup, and
/// rate·(1 + cos(π (t − warmup)/(steps − warmup)))/2 from there on; 0 behind the last step.
struct LearningRate {
  double rate = 1e-4;        ///< the highest
  std::uint64_t steps = 0;   ///< of the whole training; 0 for a constant rate
  std::uint64_t warmup = 0;  ///< steps of it that warm up

  /// The rate of step t, counted from 0.
  [[nodiscard]] double at(std::uint64_t t) const;
};

/// A cosine schedule whose warm-up is a twentieth of the training and at most 10,000 steps, the
/// number that the reference implementation of MEM always takes.
[[nodiscard]] LearningRate cosine_schedule(double rate, std::uint64_t steps);

/// AdamW's settings. Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR
/// 2019, algorithm 2; values as in MEM (Liu et al., ACM MM 2024).
struct AdamWSettings {
  LearningRate learning_rate{};
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.2;  ///< of matrices and filters; norms, biases and the scale have none
};

/// LibTorch's AdamW over a model's parameters in two groups: with weight decay what has two or more
/// dimensions, without it norms, biases, single vectors, the logit scale and its bias. On the CPU
/// in single precision each parameter is updated by AdamWStep, to the same values within rounding.
class Optimizer {
 public:
  /// @param model must outlive the optimiser
  Optimizer(ClipImpl& model, const AdamWSettings& settings);

  /// One step along the gradients that the parameters hold, at the rate that is due. The gradients
  /// are dropped and the logit scale is brought back to [0, ln 100].
  void step();

  /// Steps taken.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  /// The rate that the next step will have.
  [[nodiscard]] double rate() const { return settings_.learning_rate.at(steps_); }

  /// The settings it was made with.
  [[nodiscard]] const AdamWSettings& settings() const { return settings_; }

  /// Both moments of every parameter, as `exp_avg.<name>` and `exp_avg_sq.<name>`; none before the
  /// first step. They share the optimiser's memory.
  [[nodiscard]] StateDict moments();

  /// Goes on from `moments` after `steps` steps.
  /// @throws InvalidArgument when a moment is missing or has another shape; nothing is changed
  /// then.
  void resume(const StateDict& moments, std::uint64_t steps);

 private:
  void step(const at::Tensor& parameter);
  torch::optim::AdamWParamState& state_of(const at::Tensor& parameter);

  ClipImpl* model_;
  AdamWSettings settings_;
  torch::optim::AdamW adamw_;
  std::uint64_t steps_ = 0;
};

}  // namespace unlearn::clip
