// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <cstdint>
#include <limits>
#include <tuple>

#include "clip/model/model.hpp"
#include "plain_torch.hpp"

/// @file
/// What users of LibTorch would write without this library: one operation per statement.

namespace unlearn_bench {

/// CLIP's loss with the model's scale.
inline at::Tensor plain_loss(unlearn::clip::Clip& model, const at::Tensor& images,
                             const at::Tensor& texts) {
  return plain_info_nce(images, texts, model->logit_scale.exp());
}

/// The search of the reference implementation. For each candidate of each position, the whole batch
/// goes through both towers at full length. The candidate is kept if the loss of the batch falls.
struct PlainSearch {
  std::int64_t trigger_length = 3;  ///< positions, from the second token on
  std::int64_t candidates = 16;
  std::int64_t first_special = 0;  ///< triggers may not have this token or higher ids

  /// The result of a search.
  struct Found {
    at::Tensor texts;  ///< [B, L]
    double loss;
  };

  /// @param images [B, 3, S, S] normalised
  /// @param texts    [B, L]
  [[nodiscard]] Found operator()(unlearn::clip::Clip& model, const at::Tensor& images,
                                 at::Tensor texts) const {
    const at::Tensor embedded = model->token_embedding(texts).detach().requires_grad_();
    const at::Tensor gradient = [&] {
      const c10::AutoGradMode with_gradient(true);
      const at::Tensor rows = model->encode_embedded(embedded, texts.argmax(1));
      const at::Tensor loss = plain_loss(model, model->encode_images(images), rows);
      return torch::autograd::grad({loss}, {embedded})[0];
    }();
    const torch::NoGradGuard no_gradient;
    const auto loss_of = [&](const at::Tensor& tokens) {
      return plain_loss(model, model->encode_images(images), model->encode_texts(tokens))
          .item<double>();
    };
    double best = loss_of(texts);
    for (std::int64_t position = 1; position <= trigger_length; ++position) {
      at::Tensor scores = gradient.select(1, position).matmul(model->token_embedding->weight.t());
      scores.slice(1, first_special).fill_(std::numeric_limits<float>::infinity());
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
    return {.texts = texts, .loss = best};
  }
};

}  // namespace unlearn_bench
