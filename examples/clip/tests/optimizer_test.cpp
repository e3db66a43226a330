// SPDX-License-Identifier: Apache-2.0
#include "clip/training/optimizer.hpp"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "message_of.hpp"
#include "tiny_clip.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

TEST(LearningRate, WithoutStepsIsConstant) {
  const LearningRate rate{.rate = 0.5};
  EXPECT_EQ(rate.at(0), 0.5);
  EXPECT_EQ(rate.at(1'000'000), 0.5);
}

TEST(LearningRate, WarmsUpAndFallsAlongAHalfCosine) {
  const LearningRate rate{.rate = 2, .steps = 14, .warmup = 4};
  EXPECT_DOUBLE_EQ(rate.at(0), 0.5);
  EXPECT_DOUBLE_EQ(rate.at(1), 1);
  EXPECT_DOUBLE_EQ(rate.at(3), 2);
  EXPECT_DOUBLE_EQ(rate.at(4), 2);
  EXPECT_DOUBLE_EQ(rate.at(9), 1);
  EXPECT_DOUBLE_EQ(rate.at(13), 1 + std::cos(0.9 * std::acos(-1.0)));
  EXPECT_EQ(rate.at(14), 0);
  EXPECT_EQ(rate.at(15), 0);
}

TEST(LearningRate, WarmUpIsScaledToTheRun) {
  EXPECT_EQ(cosine_schedule(1, 1000).warmup, 50U);
  EXPECT_EQ(cosine_schedule(1, 1'000'000).warmup, 10'000U);
  EXPECT_EQ(cosine_schedule(1, 3).warmup, 0U);
}

/// One step of AdamW from zero moments: x·(1 − rate·decay) − rate·sign(g), for g far above epsilon.
TEST(Optimizer, DecaysMatricesAlone) {
  Clip model(testing::tiny_vit(), 1);
  Optimizer optimizer(*model, {.learning_rate = {.rate = 0.01}, .weight_decay = 0.5});
  const StateDict before = [&] {
    StateDict copy;
    for (const auto& [name, tensor] : state_dict(*model))
      copy.emplace(name, tensor.detach().clone());
    return copy;
  }();
  for (at::Tensor& parameter : model->parameters()) {
    parameter.mutable_grad() = at::full_like(parameter, -3).detach();
  }
  optimizer.step();
  for (const auto& [name, tensor] : state_dict(*model)) {
    const double decay = tensor.dim() >= 2 ? 0.5 : 0;
    const at::Tensor expected = before.at(name) * (1 - 0.01 * decay) + 0.01;
    EXPECT_LT((tensor - expected).abs().max().item<double>(), 1e-6) << name;
  }
}

/// Against LibTorch's own, for filters in both layouts and for what does not decay.
TEST(Optimizer, FollowsLibTorchsAdamW) {
  at::manual_seed(3);
  Clip ours(testing::tiny_resnet(), 1);
  const Clip theirs(testing::tiny_resnet(), 1);
  for (at::Tensor& weight : ours->resnet->parameters()) {
    if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
  }
  const LearningRate rate{.rate = 0.01, .steps = 8, .warmup = 2};
  Optimizer optimizer(*ours, {.learning_rate = rate, .weight_decay = 0.3});
  std::vector<at::Tensor> decaying;
  std::vector<at::Tensor> others;
  for (const at::Tensor& parameter : theirs->parameters()) {
    (parameter.dim() >= 2 ? decaying : others).push_back(parameter);
  }
  torch::optim::AdamW with_decay(decaying, torch::optim::AdamWOptions(0.01).weight_decay(0.3));
  torch::optim::AdamW without(others, torch::optim::AdamWOptions(0.01).weight_decay(0));
  const StateDict expected = state_dict(*theirs);
  for (std::uint64_t step = 0; step < 5; ++step) {
    const auto to = ours->named_parameters();
    for (const auto& entry : theirs->named_parameters()) {
      // Some gradients are zero, and some far below epsilon.
      const at::Tensor gradient = at::randn(entry.value().sizes()) *
                                  at::randint(0, 2, entry.value().sizes()) *
                                  (step == 3 ? 1e-12 : 1.0);
      to[entry.key()].mutable_grad() = gradient.clone();
      entry.value().mutable_grad() = gradient;
    }
    optimizer.step();
    for (auto* adamw : {&with_decay, &without}) {
      for (auto& group : adamw->param_groups()) group.options().set_lr(rate.at(step));
      adamw->step();
    }
    const torch::NoGradGuard no_gradient;
    theirs->logit_scale.clamp_(0, std::log(100.0));
    for (const auto& [name, tensor] : state_dict(*ours)) {
      EXPECT_TRUE(at::allclose(tensor, expected.at(name), 1e-5, 1e-6)) << name << ", step " << step;
    }
  }
}

TEST(Optimizer, DropsGradients) {
  Clip model(testing::tiny_vit(), 1);
  Optimizer optimizer(*model, {});
  for (at::Tensor& parameter : model->parameters()) {
    parameter.mutable_grad() = at::ones_like(parameter).detach();
  }
  optimizer.step();
  for (const at::Tensor& parameter : model->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(Optimizer, NamesAMomentThatIsMissingOrOfAnotherShape) {
  Clip model(testing::tiny_vit(), 1);
  Optimizer optimizer(*model, {});
  EXPECT_TRUE(optimizer.moments().empty());
  for (at::Tensor& parameter : model->parameters()) {
    parameter.mutable_grad() = at::ones_like(parameter).detach();
  }
  optimizer.step();
  StateDict moments = optimizer.moments();
  const std::string name = "exp_avg_sq.text_projection";
  moments[name] = at::zeros({1});
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { optimizer.resume(moments, 1); }),
            "shape of '" + name + "': expected [24, 16], got [1]");
  moments.erase(name);
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { optimizer.resume(moments, 1); }),
            "moments of the optimiser: expected one named '" + name + "', got none");
}

}  // namespace
}  // namespace unlearn::clip
