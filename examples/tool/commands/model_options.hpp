// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/model.hpp"

namespace unlearn::tool {

/// Which model a command works with.
struct ModelRequest {
  std::string name{};     ///< a configuration's; see named_config()
  std::string weights{};  ///< instead of `name` and `size`, where it is not empty
  std::int64_t size = 0;  ///< side of the images; 0 for the configuration's own
  std::size_t vocabulary = 0;
  std::uint64_t seed = 1;  ///< of new weights
};

/// A new model, or one from a file.
/// @throws InvalidArgument when a model from a file has another vocabulary
[[nodiscard]] clip::Clip make_model(const ModelRequest& request);

/// Sets LibTorch up for work on `device`: on `cuda` without TF32, by cuDNN's deterministic ways.
/// @throws InvalidArgument for `cuda` with a LibTorch that has none
void require_device(const std::string& device);

/// "single", "bfloat16", or "auto": bfloat16 where the device multiplies it.
[[nodiscard]] clip::Precision parse_precision(const std::string& precision,
                                              const std::string& device);

}  // namespace unlearn::tool
