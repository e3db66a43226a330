// SPDX-License-Identifier: Apache-2.0
#include "clip/cuda/gpu_token_ranker.hpp"

#include <utility>

#include "unlearn/cuda/device.cuh"
#include "unlearn/cuda/torch.cuh"

namespace unlearn::clip {

struct GpuTokenRanker::Parts {
  at::Tensor embeddings;
  cuda::Context<cuda::TorchAllocator> context;
};

GpuTokenRanker::GpuTokenRanker() : parts_(std::make_unique<Parts>()) {}
GpuTokenRanker::GpuTokenRanker(GpuTokenRanker&& other) noexcept = default;
GpuTokenRanker& GpuTokenRanker::operator=(GpuTokenRanker&& other) noexcept = default;
GpuTokenRanker::~GpuTokenRanker() = default;

void GpuTokenRanker::set_table(at::Tensor embeddings) {
  parts_->embeddings = std::move(embeddings);
}
bool GpuTokenRanker::has_table() const { return parts_->embeddings.defined(); }
void GpuTokenRanker::forget_table() { parts_->embeddings.reset(); }

void GpuTokenRanker::rank_tokens(View<const float, 2> gradients, const TokenFilter& filter,
                                 View<Token, 2> tokens, View<float, 2> scores) const {
  const auto device = cuda::on_current_stream(parts_->context);
  const auto device_gradients = device.scratch<float>(gradients.size());
  device.copy_in(gradients.data(), gradients.size(), device_gradients.data());
  device.rank_tokens(View<const float, 2>(device_gradients.data(), gradients.extents()),
                     cuda::device_view_of<const float, 2>(parts_->embeddings), filter, tokens,
                     scores);
}

}  // namespace unlearn::clip
