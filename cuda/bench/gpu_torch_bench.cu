// SPDX-License-Identifier: Apache-2.0
// The backend's calls against PyTorch's operations, one per statement, on the same GPU and stream.
// Each result is compared with PyTorch's before it is timed.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "device_clock.hpp"
#include "plain_torch.hpp"
#include "summary.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/cuda/torch.cuh"

namespace {

using unlearn::Index;
using unlearn::LinfBall;
using unlearn::Token;
using unlearn::TokenFilter;
using unlearn::View;
using unlearn::cuda::device_view_of;
using unlearn_bench::device_ratio;
using unlearn_bench::report;
using unlearn_bench::require_correct;

auto device() {
  static unlearn::cuda::Context<unlearn::cuda::TorchAllocator> context;
  return unlearn::cuda::on_current_stream(context);
}

cudaStream_t stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

const at::TensorOptions floats = at::dtype(at::kFloat).device(at::kCUDA);

/// Noise of a batch of 128 images of 224 pixels.
void bench_sign_step() {
  const std::array<std::int64_t, 2> sizes{128, 3 * 224 * 224};
  const double step = 1.0 / 255;
  const double radius = 8.0 / 255;
  const at::Tensor clean = at::rand(sizes, floats);
  const at::Tensor gradient = at::randn(sizes, floats);
  const at::Tensor start = (at::rand(sizes, floats) - 0.5) * (2 * radius);
  at::Tensor theirs = start.clone();
  const auto torch_step = [&] {
    theirs = unlearn_bench::plain_sign_step(theirs, clean, gradient, step, radius);
  };
  const at::Tensor ours = start.clone();
  const unlearn::BallAndBoxSet<float, LinfBall<>> set{
      .ball = {.radius = radius}, .clean = device_view_of<const float, 2>(clean)};
  const auto our_step = [&] {
    set.sign_step(device(), device_view_of<float, 2>(ours),
                  device_view_of<const float, 2>(gradient), -step);
  };
  torch_step();
  our_step();
  require_correct((ours - theirs).abs().max().item<double>() < 1e-6, "sign step");
  report("gpu.sign_step.speedup_vs_torch", device_ratio(stream(), 20, torch_step, our_step));
}

void bench_hotflip() {
  constexpr std::int64_t rows = 384;
  constexpr std::int64_t width = 512;
  constexpr std::int64_t vocabulary = 49'408;
  constexpr std::int64_t depth = 16;
  const at::Tensor gradients = at::randn({rows, width}, floats);
  const at::Tensor table = at::randn({vocabulary, width}, floats);
  const TokenFilter filter(vocabulary);
  const auto count = static_cast<std::int64_t>(filter.words().size());
  const at::Tensor allowed = at::full({count}, -1, at::dtype(at::kLong).device(at::kCUDA));
  const at::Tensor tokens = at::zeros({rows, depth}, at::dtype(at::kInt).device(at::kCUDA));
  const at::Tensor scores = at::zeros({rows, depth}, floats);
  const auto ours = [&] {
    unlearn::cuda::rank_tokens(
        device(), device_view_of<const float, 2>(gradients), device_view_of<const float, 2>(table),
        {static_cast<const std::uint64_t*>(allowed.data_ptr()), {filter.words().size()}},
        device_view_of<Token, 2>(tokens), device_view_of<float, 2>(scores));
  };
  at::Tensor their_scores;
  const auto theirs = [&] {
    const at::Tensor all = gradients.matmul(table.t());
    their_scores = std::get<0>(all.topk(depth, -1, /*largest=*/false));
  };
  ours();
  theirs();
  require_correct((scores - their_scores).abs().max().item<double>() < 1e-2, "HotFlip");
  report("gpu.hotflip.speedup_vs_torch", device_ratio(stream(), 10, theirs, ours));
}

/// 16 candidates for each caption of a batch of 128: a full loss each in PyTorch.
void bench_scoring() {
  constexpr std::int64_t pairs = 128;
  constexpr std::int64_t width = 512;
  constexpr std::int64_t candidates = 16;
  constexpr double scale = 20;
  const at::Tensor signals = at::randn({pairs, width}, floats);
  const at::Tensor texts = at::randn({pairs, width}, floats);
  const at::Tensor proposed = at::randn({pairs * candidates, width}, floats);
  const at::Tensor replaced = at::arange(pairs, at::dtype(at::kInt).device(at::kCUDA))
                                  .repeat_interleave(candidates)
                                  .contiguous();
  const at::Tensor losses = at::zeros({pairs * candidates}, floats.dtype(at::kDouble));
  const auto ours = [&] {
    const unlearn::cuda::InfoNceScorer scoring(device(), device_view_of<const float, 2>(signals),
                                               device_view_of<const float, 2>(texts), scale);
    scoring.score({static_cast<const Index*>(replaced.data_ptr()), {pairs * candidates}},
                  device_view_of<const float, 2>(proposed), device_view_of<double, 1>(losses));
  };
  const at::Tensor their_losses = at::zeros({pairs * candidates}, floats);
  const auto theirs = [&] {
    for (std::int64_t m = 0; m < pairs * candidates; ++m) {
      const at::Tensor changed = texts.clone();
      changed[m / candidates].copy_(proposed[m]);
      their_losses[m].copy_(unlearn_bench::plain_info_nce(signals, changed, scale));
    }
  };
  ours();
  theirs();
  require_correct((losses - their_losses).abs().max().item<double>() < 1e-3, "scoring");
  report("gpu.scoring.speedup_vs_torch", device_ratio(stream(), 1, theirs, ours));
}

}  // namespace

int main() {
  if (!at::hasCUDA()) {
    std::fprintf(stderr, "no GPU that LibTorch knows\n");
    return 1;
  }
  const c10::InferenceMode no_gradient;
  at::manual_seed(1);
  bench_sign_step();
  bench_hotflip();
  bench_scoring();
}
