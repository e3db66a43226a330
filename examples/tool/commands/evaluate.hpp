// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"

namespace unlearn::tool {

/// What `unlearn evaluate` is told: a model and pairs, or embeddings.
struct EvaluateOptions {
  PairsOptions pairs{};
  std::string split = "test";
  std::string vocab{};
  std::string weights{};           ///< of the model; empty for embeddings
  std::string image_embeddings{};  ///< file; empty for a model
  std::string text_embeddings{};
  std::size_t captions_per_image = 5;  ///< of the embeddings
  std::size_t k = 10;                  ///< a match is a hit if it is among the first k
  unsigned threads = 0;                ///< 0 for one on each core
  Device device = Device::cpu;
  bool json = false;
};

/// Prints the retrieval.
/// @throws InvalidArgument, FileError for what cannot be evaluated
void evaluate(const EvaluateOptions& options);

}  // namespace unlearn::tool
