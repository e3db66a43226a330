// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/model.hpp"
#include "clip/training/loss_kind.hpp"
#include "tool/commands/running_options.hpp"
#include "tool/publication/protection_plan.hpp"

namespace unlearn::tool {

/// Which model a command works with.
struct ModelRequest {
  std::string name{};     ///< a configuration's; see named_config()
  std::string weights{};  ///< instead of `name` and `size`, where it is not empty
  std::int64_t size = 0;  ///< side of the images; 0 for the configuration's own
  std::size_t vocabulary = 0;
  clip::LossKind loss = clip::LossKind::infonce;  ///< the model gets what it learns for this loss
  std::uint64_t seed = 1;                         ///< of new weights
};

/// A new model, or one from a file.
/// @throws InvalidArgument when a model from a file has another vocabulary
[[nodiscard]] clip::Clip make_model(const ModelRequest& request);

/// A device as LibTorch names it.
[[nodiscard]] at::Device torch_device(Device device);

/// Sets LibTorch up for work on a device with so many threads: on CUDA without TF32, and with
/// cuDNN's deterministic algorithms. Call it before any other use of LibTorch.
/// @param threads 0 for one on each core
/// @throws InvalidArgument for CUDA with a LibTorch that has none
void set_up_torch(Device device, unsigned threads);

/// The precision that is meant; `automatic` is bfloat16 where the device multiplies it.
[[nodiscard]] clip::Precision precision_of(Arithmetic arithmetic, Device device);

}  // namespace unlearn::tool
