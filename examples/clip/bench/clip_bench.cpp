// SPDX-License-Identifier: Apache-2.0
// The CLIP adapter against LibTorch as its users write it, with `rn-small` at 64 pixels in batches
// of 128: a noise gradient, a noise update, HotFlip, a whole trigger search, training.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "clip/config.hpp"
#include "clip/dual_encoder.hpp"
#include "clip/model.hpp"
#include "clip/token_screen.hpp"
#include "clip/training.hpp"
#include "summary.hpp"
#include "unlearn/unlearn.hpp"

namespace {

using unlearn::as_tensor, unlearn::Index, unlearn::Matrix, unlearn::Token, unlearn::View,
    unlearn::view_of;
using unlearn::clip::Clip, unlearn::clip::DualEncoder;

constexpr std::size_t batch = 128;
constexpr std::size_t trigger_length = 3;
constexpr std::int64_t candidates = 16;
constexpr int repeats = 5;

/// Pairs that are drawn: each picture has coarse patches of colour, each caption 8 to 18 tokens.
class DrawnPairs {
 public:
  using sample_type = std::uint8_t;

  DrawnPairs(std::size_t rows, std::size_t side, std::uint64_t seed)
      : rows_(rows), elements_(side * side * 3), pixels_(rows * elements_) {
    unlearn::SplitMix64 rng(seed);
    const auto below = [&](std::size_t bound) { return unlearn::uniform_below(bound, rng); };
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<std::size_t> patches(8 * 8 * 3);
      for (std::size_t& patch : patches) patch = below(200);
      for (std::size_t i = 0; i < elements_; ++i) {
        const std::size_t y = i / 3 / side * 8 / side;
        const std::size_t x = i / 3 % side * 8 / side;
        pixels_[r * elements_ + i] =
            static_cast<std::uint8_t>(patches[(y * 8 + x) * 3 + i % 3] + below(50));
      }
      std::vector<Token>& caption = captions_.emplace_back(10 + below(11));
      for (Token& token : caption) token = static_cast<Token>(256 + below(40'000));
      caption.front() = 49'406;
      caption.back() = 49'407;
    }
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t signals() const { return rows_; }
  [[nodiscard]] std::size_t elements() const { return elements_; }
  [[nodiscard]] Index signal_of(Index row) const { return row; }
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(view().row(indices[i]), out.row(i).begin());
    }
  }
  [[nodiscard]] View<const std::uint8_t, 2> view() const {
    return {pixels_.data(), {rows_, elements_}};
  }

 private:
  std::size_t rows_;
  std::size_t elements_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::vector<Token>> captions_;
};

unlearn::clip::ClipConfig config() { return unlearn::clip::named_config("rn-small"); }
std::size_t side() { return static_cast<std::size_t>(config().image_resolution); }

/// The first `batch` rows as a bare LibTorch program holds them: normalised floats, and ids.
struct PlainBatch {
  PlainBatch(const DrawnPairs& pairs, std::size_t trigger, std::int64_t width) {
    using unlearn::clip::clip_pixels;
    const auto pixels = as_tensor(pairs.view().slice(0, batch));
    const auto channels = [](const auto& values) {
      return at::tensor(at::ArrayRef<float>(values)).view({1, 3, 1, 1});
    };
    const auto s = static_cast<std::int64_t>(side());
    pictures = ((pixels.to(at::kFloat) / 255).view({-1, s, s, 3}).permute({0, 3, 1, 2}) -
                channels(clip_pixels.mean)) /
               channels(clip_pixels.deviation);
    texts = at::zeros({static_cast<std::int64_t>(batch), width}, at::kLong);
    for (std::size_t r = 0; r < batch; ++r) {
      const auto caption = pairs.caption(static_cast<Index>(r));
      const at::Tensor row = texts[static_cast<std::int64_t>(r)];
      for (std::size_t i = 0; i < caption.size(); ++i) {
        const std::size_t to = i == 0 ? 0 : i + trigger;
        row[static_cast<std::int64_t>(to)] = static_cast<std::int64_t>(caption[i]);
      }
      for (std::size_t j = 0; j < trigger; ++j) {
        row[static_cast<std::int64_t>(j) + 1] = first_trigger_token;
      }
    }
  }

  static constexpr std::int64_t first_trigger_token = 518;
  at::Tensor pictures;
  at::Tensor texts;
};

/// CLIP's loss in LibTorch operations.
at::Tensor plain_loss(Clip& model, const at::Tensor& images, const at::Tensor& texts) {
  const at::Tensor a = images / images.norm(2, 1, true);
  const at::Tensor b = texts / texts.norm(2, 1, true);
  const at::Tensor logits = model->logit_scale.exp() * a.mm(b.t());
  const at::Tensor diagonal = at::arange(logits.size(0), at::kLong);
  return (at::cross_entropy_loss(logits, diagonal) + at::cross_entropy_loss(logits.t(), diagonal)) /
         2;
}

/// A model that has learned a little, as one within a run has.
Clip warm_model(const DrawnPairs& pairs) {
  Clip model(config(), 1);
  DualEncoder encoder(model);
  auto state = unlearn::clip::training_state(pairs);
  std::mt19937_64 rng(2);
  (void)unlearn::training(20).minimize(encoder, pairs, state, rng);
  return model;
}

void noise_gradient(benchmark::State& state) {
  const DrawnPairs pairs(batch, side(), 1);
  Clip model(config(), 1);
  DualEncoder encoder(model);
  const PlainBatch plain(pairs, 0, 32);
  const std::vector<std::int8_t> noise(batch * pairs.elements());
  const unlearn::PixelBatch pictures{.clean = pairs.view(),
                                     .noise = {noise.data(), {batch, pairs.elements()}}};
  const torch::NoGradGuard no_gradient;
  const at::Tensor text_rows = model->encode_texts(plain.texts).contiguous();
  const double scale = encoder.logit_scale();
  Matrix gradient(batch, pairs.elements());
  const auto ours = [&] {
    unlearn::Pull pull(unlearn::InfoNce{}, view_of<const float, 2>(text_rows), scale);
    encoder.signal_gradient(pictures, pull, View<float, 2>(gradient));
  };
  const auto forward = [&] { benchmark::DoNotOptimize(model->encode_images(plain.pictures)); };

  ours();
  const at::Tensor x = plain.pictures.clone().requires_grad_();
  const at::Tensor expected = [&] {
    const at::AutoGradMode with_gradient(true);
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
    const at::Tensor direction = grad.sign();
    theirs = theirs - step * direction;
    theirs = theirs.clamp(-radius, radius);
    const at::Tensor perturbed = (clean + theirs).clamp(0, 1);
    theirs = perturbed - clean;
  };
  at::Tensor ours = start.clone();
  const unlearn::FeasibleNoise set{.ball = unlearn::LinfBall{.radius = radius},
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
  // As DualEncoder does it; the table is converted once for all batches between two changes of the
  // weights.
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

/// The reference implementation's search: each candidate of each position goes through both towers
/// at full length, for the whole batch at once, and is kept if the batch's loss falls.
double reference_search(Clip& model, const PlainBatch& plain) {
  const torch::NoGradGuard no_gradient;
  at::Tensor texts = plain.texts.clone();
  const auto loss_of = [&](const at::Tensor& tokens) {
    return plain_loss(model, model->encode_images(plain.pictures), model->encode_texts(tokens))
        .item<double>();
  };
  const at::Tensor table = model->token_embedding->weight;
  const at::Tensor embedded = model->token_embedding(texts).detach().requires_grad_();
  const at::Tensor gradient = [&] {
    const at::AutoGradMode with_gradient(true);
    const at::Tensor rows = model->encode_embedded(embedded, texts.argmax(1));
    const at::Tensor loss = plain_loss(model, model->encode_images(plain.pictures), rows);
    return torch::autograd::grad({loss}, {embedded})[0];
  }();
  double best = loss_of(texts);
  for (std::int64_t position = 1; position <= static_cast<std::int64_t>(trigger_length);
       ++position) {
    const at::Tensor scores = gradient.select(1, position).matmul(table.t());
    scores.narrow(1, 49'406, 2).fill_(std::numeric_limits<float>::infinity());
    const at::Tensor proposed = std::get<1>(scores.topk(candidates, -1, false));
    at::Tensor kept = texts;
    for (std::int64_t rank = 0; rank < candidates; ++rank) {
      at::Tensor changed = texts.clone();
      changed.select(1, position).copy_(proposed.select(1, rank));
      const double loss = loss_of(changed);
      if (loss < best) {
        best = loss;
        kept = changed;
      }
    }
    texts = kept;
  }
  return best;
}

void trigger_search(benchmark::State& state) {
  const DrawnPairs pairs(batch, side(), 1);
  Clip model = warm_model(pairs);
  DualEncoder single(model);
  DualEncoder half(model, {.precision = unlearn::clip::Precision::bfloat16});
  const PlainBatch plain(pairs, trigger_length, config().context_length);
  unlearn::TokenFilter words(static_cast<std::size_t>(config().vocab_size));
  words.deny(std::vector<Token>{49'406, 49'407});
  auto mem = unlearn::mem();
  mem.filter = &words;
  mem.rounds = 1;
  mem.surrogate_steps = 0;
  mem.descent.steps = 0;
  const std::vector<Token> first(trigger_length,
                                 static_cast<Token>(PlainBatch::first_trigger_token));
  const auto search = [&](DualEncoder& encoder) {
    auto run = unlearn::clip::training_state(pairs);
    run.triggers = unlearn::TriggerTable(pairs.rows(), first);
    std::mt19937_64 rng(1);
    (void)mem.minimize(encoder, pairs, run, rng);
    return run.triggers;
  };
  // In single precision and by LibTorch, whatever the search computed in.
  const auto loss_with = [&](const unlearn::TriggerTable& triggers) {
    const torch::NoGradGuard no_gradient;
    const at::Tensor texts = plain.texts.clone();
    texts.narrow(1, 1, static_cast<std::int64_t>(trigger_length)).copy_(as_tensor(triggers.view()));
    return plain_loss(model, model->encode_images(plain.pictures), model->encode_texts(texts))
        .item<double>();
  };
  const double reference = reference_search(model, plain);
  unlearn_bench::require_correct(loss_with(search(single)) < loss_with({pairs.rows(), first}),
                                 "loss of the triggers");
  for (auto iteration : state) {
    const auto against = [&](DualEncoder& encoder) {
      return unlearn_bench::compare(
          repeats, [&] { benchmark::DoNotOptimize(reference_search(model, plain)); },
          [&] { benchmark::DoNotOptimize(search(encoder)); });
    };
    const auto in_single = against(single);
    const auto in_half = against(half);
    const bool half_pays = in_half.g_seconds < in_single.g_seconds;
    state.SetIterationTime(in_single.g_seconds);
    const std::string name = "clip.trigger_search.";
    unlearn_bench::report(name + "speedup_vs_reference.single", in_single.ratio);
    unlearn_bench::report(name + "speedup_vs_reference.bfloat16", in_half.ratio);
    unlearn_bench::report(name + "loss_over_reference.single",
                          loss_with(search(single)) / reference);
    unlearn_bench::report(name + "loss_over_reference.bfloat16",
                          loss_with(search(half)) / reference);
    // Both figures are those of the precision that a user of this machine would choose.
    unlearn_bench::report(name + "speedup_vs_reference",
                          half_pays ? in_half.ratio : in_single.ratio);
    unlearn_bench::report(name + "loss_over_reference",
                          loss_with(search(half_pays ? half : single)) / reference);
  }
}

void training(benchmark::State& state) {
  constexpr std::size_t steps = 4;
  const DrawnPairs pairs(batch * steps, side(), 1);
  // Ours: a whole run, batches loaded by index, bytes turned into floats.
  DualEncoder encoder{Clip(config(), 1)};
  std::mt19937_64 rng(2);
  const auto ours = [&] {
    auto run = unlearn::clip::training_state(pairs);
    const auto result = unlearn::training(steps).minimize(encoder, pairs, run, rng);
    unlearn_bench::require_correct(result.fit_steps == steps, "number of training steps");
  };
  // Theirs: the same model, loss and optimiser in LibTorch's operations on one batch that is
  // floats already, texts cut to the longest in the batch as ours are.
  Clip model(config(), 1);
  for (at::Tensor& parameter : model->parameters()) parameter.set_requires_grad(true);
  for (at::Tensor& weight : model->resnet->parameters()) {
    if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
  }
  model->train();
  torch::optim::AdamW adamw(model->parameters(), torch::optim::AdamWOptions(1e-4));
  const PlainBatch plain(pairs, 0, 20);
  const auto theirs = [&] {
    for (std::size_t step = 0; step < steps; ++step) {
      adamw.zero_grad();
      plain_loss(model, model->encode_images(plain.pictures), model->encode_texts(plain.texts))
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
