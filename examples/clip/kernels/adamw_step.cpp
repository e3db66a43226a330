// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/adamw_step.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include <cmath>
#include <cstdint>

#include "clip/kernels/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

/// The factors of one step, rounded to floats as in LibTorch.
struct Factors {
  float kept, beta1, gain1, beta2, gain2, root, epsilon, size;
};

struct Pointers {
  float* p;
  const float* g;
  float* m;
  float* v;
};

UNLEARN_CLIP_CLONES void update(const Factors& f, const Pointers& at, std::int64_t begin,
                                std::int64_t end) {
  float* const p = at.p;
  const float* const g = at.g;
  float* const m = at.m;
  float* const v = at.v;
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    m[i] = f.beta1 * m[i] + f.gain1 * g[i];
    v[i] = f.beta2 * v[i] + f.gain2 * g[i] * g[i];
    const float deviation = __builtin_sqrtf(v[i]) / f.root + f.epsilon;
    p[i] = f.kept * p[i] - f.size * m[i] / deviation;
  }
}

}  // namespace

bool AdamWStep::takes(const at::Tensor& p, const at::Tensor& g) {
  return p.device().is_cpu() && p.scalar_type() == at::kFloat && p.is_non_overlapping_and_dense() &&
         g.device().is_cpu() && g.scalar_type() == at::kFloat && g.layout() == at::kStrided;
}

void AdamWStep::operator()(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m,
                           const at::Tensor& v) const {
  const auto steps = static_cast<double>(t);
  const Factors factors{.kept = static_cast<float>(1 - rate * weight_decay),
                        .beta1 = static_cast<float>(beta1),
                        .gain1 = static_cast<float>(1 - beta1),
                        .beta2 = static_cast<float>(beta2),
                        .gain2 = static_cast<float>(1 - beta2),
                        .root = static_cast<float>(std::sqrt(1 - std::pow(beta2, steps))),
                        .epsilon = static_cast<float>(epsilon),
                        .size = static_cast<float>(rate / (1 - std::pow(beta1, steps)))};
  const at::Tensor alike = g.strides() == p.strides() ? g : at::empty_like(p).detach().copy_(g);
  const Pointers at{.p = p.data_ptr<float>(),
                    .g = alike.data_ptr<float>(),
                    .m = m.data_ptr<float>(),
                    .v = v.data_ptr<float>()};
  constexpr std::int64_t grain = 1 << 15;
  at::parallel_for(0, p.numel(), grain,
                   [&](std::int64_t begin, std::int64_t end) { update(factors, at, begin, end); });
}

}  // namespace unlearn::clip
