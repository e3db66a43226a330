// SPDX-License-Identifier: Apache-2.0
#include "clip/training/optimizer.hpp"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "clip/kernels/adamw_step.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

bool decays(const at::Tensor& parameter) { return parameter.dim() >= 2; }

std::vector<torch::optim::OptimizerParamGroup> parameter_groups(ClipImpl& model,
                                                                const AdamWSettings& settings) {
  std::vector<at::Tensor> decaying;
  std::vector<at::Tensor> others;
  for (const at::Tensor& parameter : model.parameters()) {
    (decays(parameter) ? decaying : others).push_back(parameter);
  }
  const auto options = [&](double weight_decay) {
    auto values = std::make_unique<torch::optim::AdamWOptions>(settings.learning_rate.rate);
    values->betas({settings.beta1, settings.beta2}).eps(settings.epsilon);
    values->weight_decay(weight_decay);
    return values;
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::move(decaying), options(settings.weight_decay));
  groups.emplace_back(std::move(others), options(0));
  return groups;
}

/// A parameter's key in an optimiser's state: a text up to LibTorch 1.13, the pointer since 2.0.
template <class Key>
Key key_of(const at::Tensor& parameter) {
  void* const implementation = parameter.unsafeGetTensorImpl();
  if constexpr (std::is_same_v<Key, std::string>) {
    std::ostringstream text;  // as LibTorch makes its keys
    text << implementation;
    return text.str();
  } else {
    return implementation;
  }
}

}  // namespace

double LearningRate::at(std::uint64_t t) const {
  if (steps == 0) return rate;
  if (t < warmup) return rate * static_cast<double>(t + 1) / static_cast<double>(warmup);
  if (t >= steps) return 0;
  const double share = static_cast<double>(t - warmup) / static_cast<double>(steps - warmup);
  return rate * (1 + std::cos(std::numbers::pi * share)) / 2;
}

LearningRate cosine_schedule(double rate, std::uint64_t steps) {
  return {.rate = rate, .steps = steps, .warmup = std::min<std::uint64_t>(steps / 20, 10'000)};
}

Optimizer::Optimizer(ClipImpl& model, const AdamWSettings& settings)
    : model_(&model), settings_(settings), adamw_(parameter_groups(model, settings)) {}

void Optimizer::step() {
  {
    const torch::NoGradGuard no_gradient;
    const auto parameters = model_->parameters();
    const bool in_one_pass = std::ranges::all_of(parameters, [](const at::Tensor& parameter) {
      return !parameter.grad().defined() || AdamWStep::takes(parameter, parameter.grad());
    });
    if (in_one_pass) {
      for (const at::Tensor& parameter : parameters) step(parameter);
    } else {
      for (auto& group : adamw_.param_groups()) group.options().set_lr(rate());
      adamw_.step();
    }
  }
  ++steps_;
  for (at::Tensor& parameter : model_->parameters()) parameter.mutable_grad().reset();
  const torch::NoGradGuard no_gradient;
  model_->logit_scale.clamp_(0, std::log(100.0));
}

void Optimizer::step(const at::Tensor& parameter) {
  if (!parameter.grad().defined()) return;
  torch::optim::AdamWParamState& state = state_of(parameter);
  if (!state.exp_avg().defined()) {
    state.exp_avg(at::zeros_like(parameter).detach());
    state.exp_avg_sq(at::zeros_like(parameter).detach());
  }
  state.step(state.step() + 1);
  const AdamWStep step{.rate = rate(),
                       .beta1 = settings_.beta1,
                       .beta2 = settings_.beta2,
                       .epsilon = settings_.epsilon,
                       .weight_decay = decays(parameter) ? settings_.weight_decay : 0,
                       .t = state.step()};
  step(parameter, parameter.grad(), state.exp_avg(), state.exp_avg_sq());
}

torch::optim::AdamWParamState& Optimizer::state_of(const at::Tensor& parameter) {
  using Key = std::decay_t<decltype(adamw_.state().begin()->first)>;
  auto& state = adamw_.state()[key_of<Key>(parameter)];
  if (!state) state = std::make_unique<torch::optim::AdamWParamState>();
  return static_cast<torch::optim::AdamWParamState&>(*state);
}

StateDict Optimizer::moments() {
  StateDict moments;
  if (steps_ == 0) return moments;
  for (const auto& entry : model_->named_parameters()) {
    const torch::optim::AdamWParamState& state = state_of(entry.value());
    moments.emplace("exp_avg." + entry.key(), state.exp_avg());
    moments.emplace("exp_avg_sq." + entry.key(), state.exp_avg_sq());
  }
  return moments;
}

void Optimizer::resume(const StateDict& moments, std::uint64_t steps) {
  const auto moment = [&](const std::string& name, const at::Tensor& parameter) {
    const auto found = moments.find(name);
    require(found != moments.end(), "moments of the optimiser", "one named '" + name + "'", "none");
    require(found->second.sizes() == parameter.sizes(), "shape of '" + name + "'",
            c10::str(parameter.sizes()), c10::str(found->second.sizes()));
    // In the parameter's own layout, as AdamW makes them.
    return at::empty_like(parameter).detach().copy_(found->second);
  };
  struct Moments {
    at::Tensor first;
    at::Tensor second;
  };
  std::vector<Moments> all;  // before anything is changed
  const auto parameters = model_->named_parameters();
  for (const auto& entry : parameters) {
    if (steps == 0) break;
    all.push_back({.first = moment("exp_avg." + entry.key(), entry.value()),
                   .second = moment("exp_avg_sq." + entry.key(), entry.value())});
  }
  adamw_.state().clear();
  steps_ = steps;
  for (std::size_t i = 0; i < all.size(); ++i) {
    torch::optim::AdamWParamState& state = state_of(parameters[i].value());
    state.step(static_cast<std::int64_t>(steps));
    state.exp_avg(all[i].first);
    state.exp_avg_sq(all[i].second);
  }
}

}  // namespace unlearn::clip
