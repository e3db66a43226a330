// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/residual_stream.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "clip/kernels/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

UNLEARN_CLIP_INLINE float wide(float x) { return x; }
UNLEARN_CLIP_INLINE float wide(std::uint16_t bits) { return from_bfloat16(bits); }
UNLEARN_CLIP_INLINE void put(float x, float& out) { out = x; }
UNLEARN_CLIP_INLINE void put(float x, std::uint16_t& out) { out = to_bfloat16(x); }

/// The numbers that a sum and the norm after it need.
struct Norm {
  const float* bias = nullptr;    // of the branch, [width]
  const float* weight = nullptr;  // of the norm, [width]
  const float* shift = nullptr;   // the norm's bias, [width]
  float epsilon = 0;
  std::int64_t width = 0;
};

/// x ← x + change + bias, then out ← norm(x), for `rows` rows.
template <class T>
UNLEARN_CLIP_INLINE void sum_and_norm(const Norm& norm, float* x, const T* change, T* out,
                                      std::int64_t rows) {
  const std::int64_t width = norm.width;
  for (std::int64_t r = 0; r < rows; ++r, x += width, change += width, out += width) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < width; ++i) {
      x[i] += wide(change[i]) + norm.bias[i];
      total += x[i];
    }
    const float mean = total / static_cast<float>(width);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float factor = 1 / std::sqrt(squares / static_cast<float>(width) + norm.epsilon);
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      put((x[i] - mean) * factor * norm.weight[i] + norm.shift[i], out[i]);
    }
  }
}

UNLEARN_CLIP_CLONES void sum_and_norm_rows(const Norm& norm, float* x, const float* change,
                                           float* out, std::int64_t rows) {
  sum_and_norm(norm, x, change, out, rows);
}

UNLEARN_CLIP_CLONES void sum_and_norm_rows(const Norm& norm, float* x, const std::uint16_t* change,
                                           std::uint16_t* out, std::int64_t rows) {
  sum_and_norm(norm, x, change, out, rows);
}

template <class T>
void sum_and_norm_on_threads(const Norm& norm, const at::Tensor& x, const at::Tensor& change,
                             const at::Tensor& out) {
  const std::int64_t grain = std::max<std::int64_t>(1, 16'384 / norm.width);
  at::parallel_for(0, x.numel() / norm.width, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * norm.width;
    sum_and_norm_rows(norm, x.data_ptr<float>() + first,
                      static_cast<const T*>(change.data_ptr()) + first,
                      static_cast<T*>(out.data_ptr()) + first, end - begin);
  });
}

bool is_dense_float_on_cpu(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

}  // namespace

ResidualStream::ResidualStream(at::Tensor x)
    : x_(std::move(x)), in_one_pass_(!at::GradMode::is_enabled() && is_dense_float_on_cpu(x_)) {}

at::Tensor ResidualStream::normed(torch::nn::LayerNorm& norm) {
  if (!change_.defined()) return norm(x_);
  const at::Tensor change = std::exchange(change_, {}).contiguous();
  const at::Tensor out = at::empty_like(change);
  const Norm pass{.bias = bias_.data_ptr<float>(),
                  .weight = norm->weight.data_ptr<float>(),
                  .shift = norm->bias.data_ptr<float>(),
                  .epsilon = static_cast<float>(norm->options.eps()),
                  .width = x_.size(-1)};
  if (change.scalar_type() == at::kBFloat16) {
    sum_and_norm_on_threads<std::uint16_t>(pass, x_, change, out);
  } else {
    sum_and_norm_on_threads<float>(pass, x_, change, out);
  }
  return out;
}

void ResidualStream::add(torch::nn::Linear& last, const at::Tensor& hidden) {
  if (in_one_pass_) {
    x_ = sum();
    change_ = at::linear(hidden, last->weight);
    bias_ = last->bias;
  } else {
    x_ = x_ + last(hidden);
  }
}

at::Tensor ResidualStream::sum() {
  if (!change_.defined()) return x_;
  return x_.add_(std::exchange(change_, {})).add_(bias_);
}

}  // namespace unlearn::clip
