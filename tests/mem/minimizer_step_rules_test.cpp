// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/with_loss.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/momentum_sign_step.hpp"
#include "unlearn/noise/normalized_gradient_step.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using testing::Example;
using testing::Floats;
using testing::noise_of;

/// small_mem() with another rule.
template <StepRule Rule>
auto small_mem_with(Rule rule) {
  return MultiStepMinimizer{
      .descent = ProjectedDescent{.step = 1.0 / 255, .steps = 3, .rule = rule},
      .ball = LinfBall{.radius = 4.0 / 255},
      .search = {.candidates = 4},
      .rounds = 3,
      .trigger_rounds = 2,
      .surrogate_steps = 3,
      .batch_size = 4,
      .stop_loss = 0};
}

TEST(MinimizerStepRules, RunWithMomentumOnThePixelGrid) {
  Example<> with_signs;
  (void)with_signs.run(testing::small_mem());
  Example<> without_decay;
  (void)without_decay.run(small_mem_with(MomentumSignStep{.decay = 0}));
  EXPECT_EQ(without_decay.everything(), with_signs.everything()) << "only the sign is left";

  Example<> with_momentum;
  (void)with_momentum.run(with_loss(small_mem_with(MomentumSignStep{.decay = 9}), InfoNce{}));
  EXPECT_NE(all_noise(with_momentum.state), all_noise(with_signs.state));
  EXPECT_THAT(all_noise(with_momentum.state),
              ::testing::Each(::testing::AllOf(::testing::Ge(-4), ::testing::Le(4))));
}

TEST(MinimizerStepRules, RunWithNormalizedGradientsInAnL2Ball) {
  Example<Floats> example;
  // Each noise starts at 0, and three steps of 0.002 in one batch are the farthest it can go.
  const MultiStepMinimizer mem{
      .descent = ProjectedDescent<NormalizedGradientStep>{.step = 0.002, .steps = 3},
      .ball = L2Ball{.radius = 1},
      .rounds = 1,
      .surrogate_steps = 2,
      .batch_size = 4};
  (void)example.run(mem);
  for (Index group = 0; group < 6; ++group) {
    double squares = 0;
    for (const float delta : noise_of(example.state, group)) squares += double{delta} * delta;
    EXPECT_LE(std::sqrt(squares), 0.006 * (1 + 1e-5));
    EXPECT_GT(std::sqrt(squares), 0.001);
  }
}

}  // namespace
}  // namespace unlearn
