// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"
#include "tool/publication/protection_plan.hpp"

namespace unlearn::tool {

/// What `unlearn protect` is told.
struct ProtectOptions {
  PairsOptions pairs{};
  std::string split{};  ///< empty: `train` where the captions have splits, else all rows
  std::string out{};
  std::string vocab{};
  ProtectionPlan plan{};
  std::size_t memory_megabytes = 32;  ///< for images
  bool skip_bad = false;              ///< leave out images that cannot be used
  RunningOptions running{};
};

/// Protects pairs and writes the folder that `unlearn protect --help` describes.
///
/// @throws InvalidArgument, FileError for what cannot be protected or written; Interrupted when a
///         signal ended the run, which `resume` then continues
void protect(const ProtectOptions& options);

}  // namespace unlearn::tool
