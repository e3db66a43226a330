// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/training/training.hpp"
#include "drawn_pairs.hpp"
#include "plain_batch.hpp"
#include "plain_clip.hpp"
#include "summary.hpp"
#include "unlearn/unlearn.hpp"

namespace unlearn_bench {

/// Compares our trigger search of one batch to the reference's: triggers of three tokens, and 16
/// candidates for each. The model has learned a little, as during a run.
class TriggerSearch {
 public:
  /// @param config must have CLIP's vocabulary
  TriggerSearch(const unlearn::clip::ClipConfig& config, at::Device device)
      : side_(static_cast<std::size_t>(config.image_resolution)),
        pairs_(batch, side_, 1),
        model_(config, 1),
        plain_(pairs_, side_, trigger_length, config.context_length),
        words_(static_cast<std::size_t>(config.vocab_size)) {
    warm_up(device);
    plain_.images = plain_.images.to(device);
    plain_.texts = plain_.texts.to(device);
    words_.deny(std::vector<Token>{special, special + 1});
    mem_.filter = words_;
    mem_.rounds = 1;
    mem_.surrogate_steps = 0;
    mem_.descent.steps = 0;
  }

  /// Reports `name`.speedup_vs_reference and `name`.loss_over_reference, for single precision, for
  /// bfloat16, and for the one of the two that suits this machine.
  /// @returns the seconds of our search in single precision
  double report_figures(const std::string& name, int repeats) {
    const at::Device device = plain_.images.device();
    unlearn::clip::ClipEncoder single(model_, {.device = device});
    unlearn::clip::ClipEncoder half(
        model_, {.device = device, .precision = unlearn::clip::Precision::bfloat16});
    const PlainSearch search{.trigger_length = trigger_length, .first_special = special};
    const auto reference = [&] { return search(model_, plain_.images, plain_.texts); };
    const double reference_loss = reference().loss;
    require_correct(loss_with(ours(single)) < loss_with({pairs_.rows(), first_trigger()}),
                    "loss of the triggers");
    const auto against = [&](unlearn::clip::ClipEncoder& encoder) {
      return compare(repeats, [&] { (void)reference(); }, [&] { (void)ours(encoder); });
    };
    const Comparison in_single = against(single);
    const Comparison in_half = against(half);
    const bool half_pays = in_half.g_seconds < in_single.g_seconds;
    const double single_loss = loss_with(ours(single)) / reference_loss;
    const double half_loss = loss_with(ours(half)) / reference_loss;
    report(name + ".speedup_vs_reference.single", in_single.ratio);
    report(name + ".speedup_vs_reference.bfloat16", in_half.ratio);
    report(name + ".loss_over_reference.single", single_loss);
    report(name + ".loss_over_reference.bfloat16", half_loss);
    report(name + ".speedup_vs_reference", half_pays ? in_half.ratio : in_single.ratio);
    report(name + ".loss_over_reference", half_pays ? half_loss : single_loss);
    return in_single.g_seconds;
  }

 private:
  static constexpr std::int64_t trigger_length = 3;
  static constexpr Token special = 49'406;  // this and the next one are start and end

  void warm_up(at::Device device) {
    unlearn::clip::ClipEncoder encoder(model_, {.device = device});
    unlearn::TrainingState state;
    std::mt19937_64 rng(2);
    (void)unlearn::ContrastiveTraining<>{.steps = 20}.train(encoder, pairs_, state, rng);
  }

  [[nodiscard]] static std::vector<Token> first_trigger() {
    return std::vector<Token>(trigger_length, Token{PlainBatch::first_trigger_token});
  }

  unlearn::TriggerTable ours(unlearn::clip::ClipEncoder& encoder) {
    auto run = unlearn::fresh_state(pairs_, first_trigger());
    std::mt19937_64 rng(1);
    (void)mem_.minimize(encoder, pairs_, run, rng);
    return run.triggers;
  }

  /// Computed in single precision by LibTorch, whatever precision the search used.
  [[nodiscard]] double loss_with(const unlearn::TriggerTable& triggers) {
    const torch::NoGradGuard no_gradient;
    const at::Tensor texts = plain_.texts.clone();
    texts.narrow(1, 1, trigger_length).copy_(unlearn::as_tensor(triggers.view()));
    return plain_loss(model_, model_->encode_images(plain_.images), model_->encode_texts(texts))
        .item<double>();
  }

  std::size_t side_;
  DrawnPairs pairs_;
  unlearn::clip::Clip model_;
  PlainBatch plain_;
  unlearn::TokenFilter words_;
  unlearn::MultiStepMinimizer<> mem_ = unlearn::mem();
};

}  // namespace unlearn_bench
