// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tool/experiments/reproduction.hpp"

namespace unlearn::tool::experiments {

/// Reads what complete jobs have left, verifies what was published, writes the example images, and
/// puts the tables together.
/// @throws Error when published pairs are not what their manifest promises
/// @throws FileError when a file of a job is missing or malformed
[[nodiscard]] RunRecord collect(const Reproduction& reproduction, const Plan& plan,
                                const Workers& workers);

}  // namespace unlearn::tool::experiments
