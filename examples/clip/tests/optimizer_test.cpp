// SPDX-License-Identifier: Apache-2.0
#include "clip/optimizer.hpp"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

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
