// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/fused_attention.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace unlearn::clip {
namespace {

struct Shape {
  std::int64_t sequences, length, heads, depth;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{{3, 7, 2, 64}, {2, 5, 3, 8}, {1, 1, 1, 64}, {2, 77, 1, 20}};
  return all;
}

using Attention = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Values and gradients, along a drawn direction, of two forms of one attention.
void expect_same(const Attention& ours, const Attention& theirs,
                 const std::vector<at::Tensor>& inputs) {
  const auto run = [&](const Attention& attention) {
    std::vector<at::Tensor> leaves;
    leaves.reserve(inputs.size());
    for (const at::Tensor& input : inputs) leaves.push_back(input.clone().requires_grad_());
    std::vector<at::Tensor> results{attention(leaves)};
    const at::Tensor direction =
        at::arange(results[0].numel(), inputs[0].options()).view(results[0].sizes()).sin();
    for (at::Tensor& gradient : torch::autograd::grad({results[0]}, leaves, {direction})) {
      results.push_back(gradient);
    }
    return results;
  };
  const auto a = run(ours);
  const auto b = run(theirs);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_LT((a[i] - b[i]).abs().max().item<double>(),
              3e-6 * (1 + b[i].abs().max().item<double>()))
        << i;
    EXPECT_GT(b[i].abs().max().item<double>(), 0) << i;
  }
  const torch::NoGradGuard no_gradient;
  EXPECT_TRUE(at::equal(ours(inputs), a[0]));
}

TEST(SelfAttention, IsThatOfTensorsWithItsGradients) {
  at::manual_seed(1);
  for (const Shape& shape : shapes()) {
    if (shape.length == 1) continue;  // the gradients of its scores are zero
    const std::int64_t width = shape.heads * shape.depth;
    const at::Tensor packed = at::randn({shape.sequences, shape.length, 3 * width});
    for (const Attends attends : {Attends::everywhere, Attends::backwards}) {
      expect_same([&](const auto& x) { return self_attention(x[0], shape.heads, attends); },
                  [&](const auto& x) { return plain_self_attention(x[0], shape.heads, attends); },
                  {packed});
    }
  }
}

TEST(SelfAttention, OfOnePositionIsItsValue) {
  const at::Tensor packed = at::randn({2, 1, 3 * 64});
  EXPECT_TRUE(at::equal(self_attention(packed, 1, Attends::backwards), packed.narrow(2, 128, 64)));
}

TEST(SelfAttention, BackwardsDoesNotReadWhatIsAhead) {
  const at::Tensor packed = at::randn({1, 6, 3 * 64});
  at::Tensor changed = packed.clone();
  changed.narrow(1, 3, 3).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(at::equal(self_attention(packed, 1, Attends::backwards).narrow(1, 0, 3),
                        self_attention(changed, 1, Attends::backwards).narrow(1, 0, 3)));
}

TEST(SingleAttention, IsThatOfTensorsWithItsGradients) {
  at::manual_seed(2);
  for (const Shape& shape : shapes()) {
    if (shape.length == 1) continue;
    const std::int64_t width = shape.heads * shape.depth;
    const at::Tensor queries = at::randn({shape.sequences, width});
    const at::Tensor packed = at::randn({shape.sequences, shape.length, 2 * width});
    const at::Tensor drawn = at::arange(shape.sequences, at::kLong) * 2 + 1;
    for (const at::Tensor& last : {at::Tensor(), drawn}) {
      expect_same(
          [&](const auto& x) { return single_attention(x[0], x[1], shape.heads, last); },
          [&](const auto& x) { return plain_single_attention(x[0], x[1], shape.heads, last); },
          {queries, packed});
    }
  }
}

TEST(SelfAttention, InBfloat16IsTheRoundedOne) {
  const at::Tensor drawn = at::randn({2, 6, 3 * 64}).to(at::kBFloat16);
  const at::Tensor x = drawn.clone().requires_grad_();
  const at::Tensor y = drawn.to(at::kFloat).requires_grad_();
  const at::Tensor ours = self_attention(x, 1, Attends::backwards);
  const at::Tensor theirs = self_attention(y, 1, Attends::backwards);
  EXPECT_TRUE(at::equal(ours, theirs.to(at::kBFloat16)));
  const at::Tensor direction = at::randn({2, 6, 64}).to(at::kBFloat16);
  const at::Tensor a = torch::autograd::grad({ours}, {x}, {direction})[0];
  const at::Tensor b = torch::autograd::grad({theirs}, {y}, {direction.to(at::kFloat)})[0];
  EXPECT_TRUE(at::equal(a, b.to(at::kBFloat16)));
}

TEST(SelfAttention, OfOtherTypesIsThatOfTensors) {
  const at::Tensor packed = at::randn({2, 4, 3 * 8}, at::kDouble);
  EXPECT_TRUE(at::equal(self_attention(packed, 2, Attends::backwards),
                        plain_self_attention(packed, 2, Attends::backwards)));
}

}  // namespace
}  // namespace unlearn::clip
