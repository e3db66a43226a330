// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/residual_stream.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include <cstdint>

namespace unlearn::clip {
namespace {

constexpr std::int64_t width = 37;

class Branches : public ::testing::Test {
 protected:
  Branches() {
    at::manual_seed(1);
    const torch::NoGradGuard no_gradient;
    norm_->weight.normal_(1, 0.2);
    norm_->bias.normal_();
    x_ = at::randn({5, 7, width});
    hidden_ = at::randn({5, 7, 11});
  }

  /// x + last(hidden), and the norm of it, in LibTorch's operations.
  [[nodiscard]] at::Tensor sum() { return x_ + last_(hidden_); }

  torch::nn::Linear last_{11, width};
  torch::nn::LayerNorm norm_{torch::nn::LayerNormOptions({width})};
  at::Tensor x_;
  at::Tensor hidden_;
};

TEST_F(Branches, AreAddedAndNormedAsByTensors) {
  for (const bool with_gradient : {true, false}) {
    const c10::AutoGradMode mode(with_gradient);
    const at::Tensor first = norm_(x_);
    const at::Tensor expected = sum();
    const at::Tensor expected_norm = norm_(expected);
    ResidualStream stream(x_.clone());
    EXPECT_TRUE(at::equal(stream.normed(norm_), first));
    stream.add(last_, hidden_);
    EXPECT_TRUE(at::allclose(stream.normed(norm_), expected_norm, 1e-5, 1e-6));
    EXPECT_TRUE(at::allclose(stream.sum(), expected, 1e-5, 1e-6));
    stream.add(last_, hidden_);
    stream.add(last_, hidden_);
    EXPECT_TRUE(at::allclose(stream.sum(), expected + 2 * last_(hidden_), 1e-5, 1e-6));
  }
}

TEST_F(Branches, KeepTheirTypeAndTheSumInFloats) {
  const torch::NoGradGuard no_gradient;
  const at::Tensor expected = sum();
  torch::nn::Linear half(11, width);
  half->weight.set_data(last_->weight.to(at::kBFloat16));
  half->bias.set_data(last_->bias);
  ResidualStream stream(x_.clone());
  stream.add(half, hidden_.to(at::kBFloat16));
  const at::Tensor normed = stream.normed(norm_);
  EXPECT_EQ(normed.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::allclose(normed.to(at::kFloat), norm_(expected), 0.02, 0.02));
  EXPECT_EQ(stream.sum().scalar_type(), at::kFloat);
  EXPECT_TRUE(at::allclose(stream.sum(), expected, 0.02, 0.02));
}

TEST_F(Branches, LeaveTheSumAloneWithGradients) {
  const at::Tensor before = x_.clone();
  ResidualStream stream(x_);
  stream.add(last_, hidden_);
  EXPECT_TRUE(stream.sum().requires_grad());
  EXPECT_TRUE(at::equal(x_, before));
}

}  // namespace
}  // namespace unlearn::clip
