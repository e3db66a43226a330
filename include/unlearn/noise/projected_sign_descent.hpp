// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <type_traits>

#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/sign_step.hpp"

namespace unlearn {

/// Projected sign gradient descent (PGD): δ ← Proj(δ ∓ step · sign ∇f(δ)), `steps` times.
///
/// Its settings and calls are those of ProjectedDescent. On a NoiseBackend it runs in the memory of
/// the device.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5; PGD: Madry et al., ICLR 2018.
using ProjectedSignDescent = ProjectedDescent<SignStep>;

static_assert(std::is_trivially_copyable_v<ProjectedSignDescent>);
static_assert(std::is_aggregate_v<ProjectedSignDescent>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
