// SPDX-License-Identifier: Apache-2.0
// Compares the CLIP adapter to LibTorch as its users write it, with `rn-small` at 64 pixels and
// batches of 128: a noise gradient, a noise update, HotFlip, a whole trigger search, training.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/encoder/freed_memory.hpp"
#include "clip/kernels/token_screen.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/training/training.hpp"
#include "drawn_pairs.hpp"
#include "plain_batch.hpp"
#include "plain_clip.hpp"
#include "plain_torch.hpp"
#include "summary.hpp"
#include "trigger_search.hpp"
#include "unlearn/unlearn.hpp"

namespace {

using unlearn::as_tensor, unlearn::Matrix, unlearn::View, unlearn::view_of;
using unlearn::clip::Clip, unlearn::clip::ClipEncoder;
using unlearn_bench::batch, unlearn_bench::DrawnPairs, unlearn_bench::plain_loss,
    unlearn_bench::PlainBatch;

constexpr std::int64_t candidates = 16;
constexpr int repeats = 5;

unlearn::clip::ClipConfig config() { return unlearn::clip::named_config("rn-small"); }
std::size_t side() { return static_cast<std::size_t>(config().image_resolution); }

void noise_gradient(benchmark::State& state) {
  const DrawnPairs pairs(batch, side(), 1);
  Clip model(config(), 1);
  ClipEncoder encoder(model);
  const PlainBatch plain(pairs, side(), 0, 32);
  const std::vector<std::int8_t> noise(batch * pairs.elements());
  const unlearn::PixelBatch images{.clean = pairs.view(),
                                   .noise = {noise.data(), {batch, pairs.elements()}}};
  const torch::NoGradGuard no_gradient;
  const at::Tensor text_rows = model->encode_texts(plain.texts).contiguous();
  const double scale = encoder.logit_scale();
  Matrix gradient(batch, pairs.elements());
  const auto ours = [&] {
    unlearn::LossPullback pullback(unlearn::InfoNce{}, view_of<const float, 2>(text_rows), scale);
    encoder.signal_gradient(images, pullback, View<float, 2>(gradient));
  };
  const auto forward = [&] { benchmark::DoNotOptimize(model->encode_images(plain.images)); };

  ours();
  const at::Tensor x = plain.images.clone().requires_grad_();
  const at::Tensor expected = [&] {
    const c10::AutoGradMode with_gradient(true);
    const at::Tensor loss = plain_loss(model, model->encode_images(x), text_rows);
    return torch::autograd::grad({loss}, {x})[0];
  }();
  const auto s = static_cast<std::int64_t>(side());
  const at::Tensor deviation =
      at::tensor(at::ArrayRef<float>(unlearn::clip::clip_pixels.deviation)).view({1, 3, 1, 1});
  const at::Tensor found =
      as_tensor(gradient).view({-1, s, s, 3}).permute({0, 3, 1, 2}) * deviation;
  unlearn_bench::require_correct(
      ((found - expected).norm() / expected.norm()).item<double>() < 1e-3, "noise gradient");

  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(repeats, ours, forward);
    state.SetIterationTime(times.f_seconds);
    unlearn_bench::report("clip.signal_gradient.over_forward", times.ratio);
  }
}

void noise_update(benchmark::State& state) {
  constexpr std::int64_t elements = 3 * 224 * 224;
  const at::Tensor clean = at::rand({static_cast<std::int64_t>(batch), elements});
  const at::Tensor grad = at::randn(clean.sizes());
  const at::Tensor start = (at::rand(clean.sizes()) - 0.5) * (16.0 / 255);
  const double step = 1.0 / 255;
  const double radius = 8.0 / 255;
  at::Tensor theirs = start.clone();
  const auto torch_step = [&] {
    theirs = unlearn_bench::plain_sign_step(theirs, clean, grad, step, radius);
  };
  at::Tensor ours = start.clone();
  const unlearn::BallAndBoxSet set{.ball = unlearn::LinfBall{.radius = radius},
                                   .clean = view_of<const float, 2>(clean)};
  const auto core_step = [&] {
    set.sign_step(unlearn::parallel, view_of<float, 2>(ours), view_of<const float, 2>(grad), -step);
  };
  torch_step();
  core_step();
  unlearn_bench::require_correct((ours - theirs).abs().max().item<double>() < 1e-6, "sign step");
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(2 * repeats, torch_step, core_step);
    state.SetIterationTime(times.g_seconds);
    unlearn_bench::report("clip.sign_step.speedup_vs_torch", times.ratio);
  }
}

void hotflip(benchmark::State& state) {
  constexpr std::int64_t vocabulary = 49'408;
  constexpr std::int64_t width = 512;
  const at::Tensor gradients = at::randn({static_cast<std::int64_t>(batch), 3, width});
  const at::Tensor table = at::randn({vocabulary, width});
  const unlearn::TokenFilter filter(vocabulary);
  const unlearn::HotFlipCandidateSearch search{.candidates = candidates};
  // As in ClipEncoder. The table is converted once after each change of the weights, for all
  // batches.
  std::optional<unlearn::clip::TokenScreen> screen;
  if (unlearn::clip::TokenScreen::available()) screen.emplace(view_of<const float, 2>(table));
  const auto in_float = [&] {
    return search(unlearn::parallel, view_of<const float, 3>(gradients),
                  view_of<const float, 2>(table), filter);
  };
  const auto ours = [&] {
    return screen ? search(*screen, view_of<const float, 3>(gradients), filter) : in_float();
  };
  const auto theirs = [&] {
    return gradients.view({-1, width}).matmul(table.t()).topk(candidates, -1, /*largest=*/false);
  };
  const auto found = ours();
  const auto [scores, tokens] = theirs();
  const at::Tensor difference =
      at::from_blob(const_cast<float*>(found.scores().data()), {384, candidates}) - scores;
  unlearn_bench::require_correct(difference.abs().max().item<double>() < 1e-2, "HotFlip");
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(
        repeats, [&] { benchmark::DoNotOptimize(theirs()); },
        [&] { benchmark::DoNotOptimize(ours()); });
    state.SetIterationTime(times.g_seconds);
    unlearn_bench::report("clip.hotflip.speedup_vs_torch", times.ratio);
    unlearn_bench::report("clip.hotflip.speedup_vs_torch.float",
                          unlearn_bench::median_ratio(
                              repeats, [&] { benchmark::DoNotOptimize(theirs()); },
                              [&] { benchmark::DoNotOptimize(in_float()); }));
  }
}

void trigger_search(benchmark::State& state) {
  unlearn_bench::TriggerSearch search(config(), at::kCPU);
  for (auto iteration : state) {
    state.SetIterationTime(search.report_figures("clip.trigger_search", repeats));
  }
}

void training(benchmark::State& state) {
  constexpr std::size_t steps = 4;
  const DrawnPairs pairs(batch * steps, side(), 1);
  // Ours: a whole run, which loads batches by index and converts bytes to floats.
  ClipEncoder encoder{Clip(config(), 1)};
  std::mt19937_64 rng(2);
  const auto ours = [&] {
    unlearn::TrainingState run;
    const auto result =
        unlearn::ContrastiveTraining<>{.steps = steps}.train(encoder, pairs, run, rng);
    unlearn_bench::require_correct(result.train_steps == steps, "number of training steps");
  };
  // Theirs: the same model, loss and optimiser in LibTorch's operations, on one batch of floats.
  // Texts are cut to the longest in the batch, like ours.
  Clip model(config(), 1);
  for (at::Tensor& parameter : model->parameters()) parameter.set_requires_grad(true);
  for (at::Tensor& weight : model->resnet->parameters()) {
    if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
  }
  model->train();
  torch::optim::AdamW adamw(model->parameters(), torch::optim::AdamWOptions(1e-4));
  const PlainBatch plain(pairs, side(), 0, 20);
  const auto theirs = [&] {
    for (std::size_t step = 0; step < steps; ++step) {
      adamw.zero_grad();
      plain_loss(model, model->encode_images(plain.images), model->encode_texts(plain.texts))
          .backward();
      adamw.step();
      const torch::NoGradGuard no_gradient;
      model->logit_scale.clamp_(0, std::log(100.0));
    }
  };
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(repeats, theirs, ours);
    state.SetIterationTime(times.g_seconds);
    state.counters["pairs/s"] = static_cast<double>(batch * steps) / times.g_seconds;
    unlearn_bench::report("clip.train.images_per_second_over_plain", times.ratio);
  }
}

BENCHMARK(noise_gradient)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(noise_update)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(hotflip)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(trigger_search)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(training)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  unlearn::clip::use_threads();
  unlearn::clip::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
