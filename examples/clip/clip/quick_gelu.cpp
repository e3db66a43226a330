// SPDX-License-Identifier: Apache-2.0
#include "clip/quick_gelu.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "clip/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

constexpr float steepness = 1.702F;
constexpr std::int64_t grain = 16'384;

UNLEARN_CLIP_INLINE float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

UNLEARN_CLIP_CLONES void activate(const float* x, float* out, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = x[i] * sigmoid(steepness * x[i]);
}

UNLEARN_CLIP_CLONES void derive(const float* x, const float* pulled, float* out,
                                std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float s = sigmoid(steepness * x[i]);
    out[i] = pulled[i] * s * (1.0F + steepness * x[i] * (1.0F - s));
  }
}

at::Tensor activated(const at::Tensor& x, const at::Tensor& out) {
  const float* const from = x.data_ptr<float>();
  float* const to = out.data_ptr<float>();
  at::parallel_for(0, x.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
    activate(from + begin, to + begin, end - begin);
  });
  return out;
}

struct QuickGelu : torch::autograd::Function<QuickGelu> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    return activated(x, at::empty_like(x));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list pulled) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor from = pulled[0].contiguous();
    const at::Tensor gradient = at::empty_like(x);
    at::parallel_for(0, x.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
      derive(x.data_ptr<float>() + begin, from.data_ptr<float>() + begin,
             gradient.data_ptr<float>() + begin, end - begin);
    });
    return {gradient};
  }
};

}  // namespace

at::Tensor quick_gelu(const at::Tensor& x) {
  const bool in_one_pass =
      x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
  if (!in_one_pass) return x * (1.702 * x).sigmoid();
  if (at::GradMode::is_enabled() && x.requires_grad()) return QuickGelu::apply(x);
  return activated(x, x);
}

}  // namespace unlearn::clip
