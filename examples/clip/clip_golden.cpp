// SPDX-License-Identifier: Apache-2.0
//
// clip_golden DIR...
//
// Compares this CLIP with a reference implementation. Each directory has `config.json`,
// `weights.safetensors` (OpenAI's names) and `io.safetensors`: `pixel_values` [B, 3, S, S] and
// `input_ids` [B, L], and the reference's results for them in evaluation mode: `image_embeds` and
// `text_embeds` (normalised), `logits_per_image`, `loss`, `grad_pixel_values` and
// `grad_token_embeddings` [B, L, W]. Prints the relative errors ‖ours − theirs‖ / ‖theirs‖; exits
// with 1 if one is above 1e-5 for a value or 1e-4 for a gradient.

#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/encoder/freed_memory.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "clip/model/weights.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"

namespace {

using unlearn::as_eigen, unlearn::as_tensor, unlearn::Matrix, unlearn::view_of;
using unlearn::clip::StateDict;

constexpr double value_tolerance = 1e-5;
constexpr double gradient_tolerance = 1e-4;

const at::Tensor& tensor(const StateDict& io, const std::string& name) {
  const auto found = io.find(name);
  if (found == io.end()) {
    throw unlearn::FileError("io.safetensors: expected a tensor '" + name + "', got none");
  }
  return found->second;
}

at::Tensor normalised(const Matrix& rows) {
  const at::Tensor embeddings = as_tensor(rows);
  return embeddings / embeddings.norm(2, 1, /*keepdim=*/true);
}

/// Prints one error.
/// @returns whether it is within the tolerance
bool compare(const StateDict& io, const std::string& name, const at::Tensor& ours,
             double tolerance) {
  const at::Tensor theirs = tensor(io, name).to(at::kDouble);
  const double error =
      ((ours.to(at::kDouble).reshape(theirs.sizes()) - theirs).norm() / theirs.norm())
          .item<double>();
  const bool within = error <= tolerance;  // false for NaN, too
  std::printf("  %-22s %9.2e  (at most %.0e)%s\n", name.c_str(), error, tolerance,
              within ? "" : "  TOO LARGE");
  return within;
}

/// The texts of `input_ids`, with every position a trigger position.
struct Texts {
  explicit Texts(const at::Tensor& ids)
      : tokens(ids.to(at::kInt).contiguous()),
        lengths((unlearn::clip::ClipImpl::ends_of(ids) + 1).to(at::kInt).contiguous()),
        positions(at::arange(ids.size(1), at::kInt).expand(ids.sizes()).contiguous()) {}

  [[nodiscard]] unlearn::TokenBatch batch() const {
    return {.tokens = view_of<const unlearn::Token, 2>(tokens),
            .lengths = view_of<const std::int32_t, 1>(lengths).flat(),
            .trigger_positions = view_of<const std::int32_t, 2>(positions)};
  }

  at::Tensor tokens, lengths, positions;
};

bool check(const std::string& directory) {
  std::printf("%s\n", directory.c_str());
  const unlearn::clip::ClipConfig config = unlearn::clip::read_config(directory + "/config.json");
  const std::string weights = directory + "/weights.safetensors";
  unlearn::clip::Clip model(config, /*seed=*/0);
  unlearn::clip::assign_weights(*model, unlearn::clip::read_weights(weights).tensors, weights);
  // The images are normalised already.
  const unlearn::clip::PixelStatistics as_given{.mean = {0, 0, 0}, .deviation = {1, 1, 1}};
  unlearn::clip::ClipEncoder encoder(model, {.pixels = as_given});
  const StateDict io = unlearn::clip::read_weights(directory + "/io.safetensors").tensors;

  const at::Tensor& images = tensor(io, "pixel_values");
  const at::Tensor pixels = images.permute({0, 2, 3, 1}).flatten(1).contiguous();
  const unlearn::FloatBatch signals{.clean = view_of<const float, 2>(pixels), .noise = {}};
  const Texts ids(tensor(io, "input_ids"));
  const unlearn::TokenBatch texts = ids.batch();

  const Matrix image_rows = encoder.encode_signals(signals);
  const Matrix text_rows = encoder.encode_texts(texts);
  const at::Tensor image_embeds = normalised(image_rows);
  const at::Tensor text_embeds = normalised(text_rows);
  const double scale = encoder.logit_scale();
  const auto loss = unlearn::info_nce(image_rows, text_rows, scale);

  at::Tensor pixel_gradient = at::empty_like(pixels);
  unlearn::LossPullback image_pull(unlearn::InfoNce{}, text_rows, scale);
  encoder.signal_gradient(signals, image_pull, view_of<float, 2>(pixel_gradient));

  const std::int64_t batch = images.size(0);
  at::Tensor token_gradient = at::empty({batch, ids.tokens.size(1), config.transformer_width});
  unlearn::LossPullback text_pull(unlearn::InfoNce{}, image_rows, scale);
  encoder.text_gradient(texts, text_pull, view_of<float, 3>(token_gradient));

  const std::int64_t side = config.image_resolution;
  const at::Tensor by_channel = pixel_gradient.view({batch, side, side, 3}).permute({0, 3, 1, 2});
  bool good = compare(io, "image_embeds", image_embeds, value_tolerance);
  good &= compare(io, "text_embeds", text_embeds, value_tolerance);
  good &=
      compare(io, "logits_per_image", scale * image_embeds.mm(text_embeds.t()), value_tolerance);
  good &= compare(io, "loss", at::scalar_tensor(loss.value, at::kDouble), value_tolerance);
  good &= compare(io, "grad_pixel_values", by_channel, gradient_tolerance);
  good &= compare(io, "grad_token_embeddings", token_gradient, gradient_tolerance);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: clip_golden DIR...\n", stderr);
    return 2;
  }
  try {
    unlearn::clip::keep_freed_memory();
    unlearn::clip::use_threads();
    bool good = true;
    for (const std::string& directory : std::vector<std::string>(argv + 1, argv + argc)) {
      good &= check(directory);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "clip_golden: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
