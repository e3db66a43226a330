// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/quick_gelu.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>

#include "clip/kernels/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

constexpr float steepness = 1.702F;
constexpr std::int64_t gelu_grain = 16'384;

UNLEARN_CLIP_INLINE float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

UNLEARN_CLIP_CLONES void activate(const float* x, float* out, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = x[i] * sigmoid(steepness * x[i]);
}

/// x ← quick_gelu(x + bias) for one row of `count` numbers.
UNLEARN_CLIP_CLONES void activate_row(float* x, const float* bias, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float sum = x[i] + bias[i];
    x[i] = sum * sigmoid(steepness * sum);
  }
}

UNLEARN_CLIP_CLONES void activate_row(std::uint16_t* x, const float* bias, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float sum = from_bfloat16(x[i]) + bias[i];
    x[i] = to_bfloat16(sum * sigmoid(steepness * sum));
  }
}

UNLEARN_CLIP_CLONES void derive(const float* x, const float* pulled, float* out,
                                std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float s = sigmoid(steepness * x[i]);
    out[i] = pulled[i] * s * (1.0F + steepness * x[i] * (1.0F - s));
  }
}

UNLEARN_CLIP_CLONES void activate(const std::uint16_t* x, std::uint16_t* out, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float wide = from_bfloat16(x[i]);
    out[i] = to_bfloat16(wide * sigmoid(steepness * wide));
  }
}

UNLEARN_CLIP_CLONES void derive(const std::uint16_t* x, const std::uint16_t* pulled,
                                std::uint16_t* out, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float wide = from_bfloat16(x[i]);
    const float s = sigmoid(steepness * wide);
    out[i] = to_bfloat16(from_bfloat16(pulled[i]) * s * (1.0F + steepness * wide * (1.0F - s)));
  }
}

/// Calls f with a null pointer whose type is that of the tensor's numbers. A bfloat16 is its bits.
template <class F>
void with_type_of(const at::Tensor& tensor, const F& f) {
  if (tensor.scalar_type() == at::kFloat) {
    f(static_cast<float*>(nullptr));
  } else {
    f(static_cast<std::uint16_t*>(nullptr));
  }
}

template <class T>
T* data_of(const at::Tensor& tensor, T* /*type*/) {
  return static_cast<T*>(tensor.data_ptr());
}

at::Tensor activated(const at::Tensor& x, const at::Tensor& out) {
  with_type_of(x, [&](auto* type) {
    at::parallel_for(0, x.numel(), gelu_grain, [&](std::int64_t begin, std::int64_t end) {
      activate(data_of(x, type) + begin, data_of(out, type) + begin, end - begin);
    });
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
    const at::Tensor from = pulled[0].to(x.scalar_type()).contiguous();
    const at::Tensor gradient = at::empty_like(x);
    with_type_of(x, [&](auto* type) {
      at::parallel_for(0, x.numel(), gelu_grain, [&](std::int64_t begin, std::int64_t end) {
        derive(data_of(x, type) + begin, data_of(from, type) + begin,
               data_of(gradient, type) + begin, end - begin);
      });
    });
    return {gradient};
  }
};

/// Whether the loops above support this tensor.
bool has_gelu_loops(const at::Tensor& x) {
  return x.device().is_cpu() && x.is_contiguous() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

}  // namespace

at::Tensor quick_gelu(const at::Tensor& x) {
  if (!has_gelu_loops(x)) return x * (1.702 * x).sigmoid();
  if (at::GradMode::is_enabled() && x.requires_grad()) return QuickGelu::apply(x);
  return activated(x, x);
}

at::Tensor quick_gelu(const at::Tensor& x, const at::Tensor& bias) {
  if (!has_gelu_loops(x)) return quick_gelu(x + bias);
  const std::int64_t width = x.size(-1);
  const float* const offsets = bias.data_ptr<float>();
  with_type_of(x, [&](auto* type) {
    at::parallel_for(0, x.numel() / width, std::max<std::int64_t>(1, gelu_grain / width),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t row = begin; row < end; ++row) {
                         activate_row(data_of(x, type) + row * width, offsets, width);
                       }
                     });
  });
  return x;
}

}  // namespace unlearn::clip
