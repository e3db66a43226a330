// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>

#include "clip/encoder/clip_encoder.hpp"
#include "drawn_pairs.hpp"
#include "unlearn/interop/torch.hpp"

namespace unlearn_bench {

/// The number of pairs in a batch.
inline constexpr std::size_t batch = 128;

/// The first `batch` rows as in a plain LibTorch program: normalised floats and token ids.
struct PlainBatch {
  PlainBatch(const DrawnPairs& pairs, std::size_t side, std::size_t trigger, std::int64_t width) {
    using unlearn::clip::clip_pixels;
    const auto pixels = unlearn::as_tensor(pairs.view().slice(0, batch));
    const auto channels = [](const auto& values) {
      return at::tensor(at::ArrayRef<float>(values)).view({1, 3, 1, 1});
    };
    const auto s = static_cast<std::int64_t>(side);
    images = ((pixels.to(at::kFloat) / 255).view({-1, s, s, 3}).permute({0, 3, 1, 2}) -
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
  at::Tensor images;
  at::Tensor texts;
};

}  // namespace unlearn_bench
