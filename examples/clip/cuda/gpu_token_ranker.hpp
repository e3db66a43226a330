// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn::clip {

/// HotFlip's ranking on a GPU, by unlearn::cuda::rank_tokens. A TokenRanker.
///
/// Only in builds with UNLEARN_CUDA and a LibTorch that has CUDA.
class GpuTokenRanker {
 public:
  /// To be used while PyTorch's current stream is the one of this call.
  GpuTokenRanker();
  GpuTokenRanker(GpuTokenRanker&& other) noexcept;
  GpuTokenRanker& operator=(GpuTokenRanker&& other) noexcept;
  GpuTokenRanker(const GpuTokenRanker&) = delete;
  GpuTokenRanker& operator=(const GpuTokenRanker&) = delete;
  ~GpuTokenRanker();

  /// From now on ranks the tokens of this table.
  /// @param embeddings [V, E] floats on a GPU, dense; must not change until the next call
  void set_table(at::Tensor embeddings);
  /// Whether a table was set, and not forgotten.
  [[nodiscard]] bool has_table() const;
  /// Forgets the table, and keeps its memory on the device for the next one's ranking.
  void forget_table();

  /// See TokenRanker; all views are of the host's memory. Waits for the device.
  /// @throws InvalidArgument when E or V differ between the arguments.
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace unlearn::clip
