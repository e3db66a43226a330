// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "unlearn/core/batch.hpp"

namespace unlearn {

/// Where a trigger is placed in its caption. Models: FrontPlacement, BackPlacement,
/// AnywherePlacement.
///
/// Requirements, for a placement `p`:
///  1. `p.length(caption_length, trigger_length)` is the length of the joint sequence.
///  2. `p.place(row, caption, trigger, out, positions)` writes the joint sequence to `out`, and to
///     `positions` the indices in it of the trigger's tokens, ascending. The caption is the one of
///     `row`, with its start and end tokens.
///  3. Both depend on their arguments alone. So a row has its trigger at the same places whenever
///     and in whatever batch it is encoded.
template <class P>
concept TriggerPlacement =
    requires(const P& placement, Index row, std::span<const Token> tokens, std::span<Token> out,
             std::span<std::int32_t> positions, std::size_t length) {
      { placement.length(length, length) } -> std::convertible_to<std::size_t>;
      placement.place(row, tokens, tokens, out, positions);
    };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
