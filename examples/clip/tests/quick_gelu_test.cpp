// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/quick_gelu.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "clip/kernels/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

TEST(Exponential, IsRightToTwoUnitsInTheLastPlace) {
  for (double x = -87.3; x < 88.3; x += 0.00173) {
    const auto real = static_cast<float>(x);
    const double expected = std::exp(static_cast<double>(real));
    EXPECT_LT(std::abs(static_cast<double>(exponential(real)) / expected - 1), 2.4e-7) << real;
  }
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(exponential(-88), 0);
  EXPECT_EQ(exponential(-std::numeric_limits<float>::infinity()), 0);
  EXPECT_GT(exponential(std::numeric_limits<float>::infinity()), 1e38F);
  EXPECT_TRUE(std::isnan(exponential(std::numeric_limits<float>::quiet_NaN())));
}

at::Tensor by_tensors(const at::Tensor& x) { return x * (1.702 * x).sigmoid(); }

TEST(QuickGelu, IsThatOfTensorsWithItsGradient) {
  at::manual_seed(1);
  const at::Tensor drawn = at::cat({at::randn({1000}) * 5, at::tensor({-1e3F, -60.F, 0.F, 1e3F})});
  const at::Tensor x = drawn.clone().requires_grad_();
  const at::Tensor y = drawn.to(at::kDouble).requires_grad_();
  const at::Tensor ours = quick_gelu(x);
  const at::Tensor theirs = by_tensors(y);
  EXPECT_TRUE(at::allclose(ours.to(at::kDouble), theirs, 1e-6, 1e-7));
  const at::Tensor direction = at::randn_like(drawn);
  const at::Tensor a = torch::autograd::grad({ours}, {x}, {direction})[0];
  const at::Tensor b = torch::autograd::grad({theirs}, {y}, {direction.to(at::kDouble)})[0];
  EXPECT_TRUE(at::allclose(a.to(at::kDouble), b, 1e-5, 1e-6));
}

TEST(QuickGelu, OverwritesWhereNoGradientIsAskedFor) {
  const torch::NoGradGuard no_gradient;
  const at::Tensor x = at::randn({100});
  const at::Tensor expected = by_tensors(x);
  const at::Tensor y = quick_gelu(x);
  EXPECT_TRUE(y.is_same(x));
  EXPECT_TRUE(at::allclose(y, expected));
}

TEST(QuickGelu, AddsABiasFirst) {
  const torch::NoGradGuard no_gradient;
  const at::Tensor bias = at::randn({37});
  for (const bool in_a_row : {true, false}) {
    const at::Tensor x = in_a_row ? at::randn({5, 3, 37}) : at::randn({5, 37, 3}).transpose(1, 2);
    const at::Tensor expected = by_tensors(x + bias);
    EXPECT_TRUE(at::allclose(quick_gelu(x.clone(), bias), expected, 1e-5, 1e-6));
    const at::Tensor half = x.to(at::kBFloat16);
    EXPECT_TRUE(at::allclose(quick_gelu(half.clone(), bias).to(at::kFloat),
                             by_tensors(half.to(at::kFloat) + bias), 0.01, 1e-3));
  }
}

TEST(Bfloat16, IsRoundedAsLibTorchRounds) {
  const at::Tensor x =
      at::cat({at::randn({5000}) * 100, at::tensor({0x1.01p0F, 0x1.03p0F, 0.F, 3.4e38F, 1e-40F}),
               at::tensor({std::numeric_limits<float>::infinity()})});
  const at::Tensor rounded = x.to(at::kBFloat16);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto bits = to_bfloat16(x[i].item<float>());
    EXPECT_EQ(bits, rounded[i].item<at::BFloat16>().x) << i;
    EXPECT_EQ(from_bfloat16(bits), rounded[i].item<float>()) << i;
  }
  EXPECT_TRUE(std::isnan(from_bfloat16(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(QuickGelu, InBfloat16IsTheRoundedOne) {
  at::manual_seed(2);
  const at::Tensor drawn = at::randn({1000}) * 3;
  const at::Tensor x = drawn.to(at::kBFloat16).requires_grad_();
  const at::Tensor y = x.detach().to(at::kFloat).requires_grad_();
  const at::Tensor ours = quick_gelu(x);
  const at::Tensor theirs = quick_gelu(y);
  EXPECT_EQ(ours.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(ours, theirs.to(at::kBFloat16)));
  const at::Tensor direction = at::randn_like(drawn).to(at::kBFloat16);
  const at::Tensor a = torch::autograd::grad({ours}, {x}, {direction})[0];
  const at::Tensor b = torch::autograd::grad({theirs}, {y}, {direction.to(at::kFloat)})[0];
  EXPECT_TRUE(at::equal(a, b.to(at::kBFloat16)));
}

TEST(QuickGelu, OfOtherTypesIsThatOfTensors) {
  const at::Tensor x = at::randn({100}, at::kDouble);
  EXPECT_TRUE(at::equal(quick_gelu(x), by_tensors(x)));
}

}  // namespace
}  // namespace unlearn::clip
