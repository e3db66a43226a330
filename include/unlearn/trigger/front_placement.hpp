// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/trigger/detail/caption_frame.hpp"
#include "unlearn/trigger/trigger_placement.hpp"

namespace unlearn {

/// T ⊕ t = (start, t_1, ..., t_n, caption, end): puts the trigger t in front of the caption T.
///
/// If the sequence exceeds the context, the last tokens of the caption are left out. The end token
/// always stays, because text towers pool there. Source: MEM (Liu et al., ACM MM 2024), Eq. 4.
struct FrontPlacement {
  std::size_t start_tokens = 1;  ///< tokens at a caption's start, before the trigger
  std::size_t end_tokens = 1;    ///< tokens at a caption's end, which are always kept
  std::size_t context = 77;      ///< the longest sequence that the model takes

  /// The length of the sequence that place() writes.
  /// @param caption_length tokens of the caption, with its start and end tokens
  /// @param trigger_length n
  /// @throws InvalidArgument when a caption is shorter than its start and end tokens, or when these
  ///         and the trigger alone exceed the context
  [[nodiscard]] std::size_t length(std::size_t caption_length, std::size_t trigger_length) const {
    const detail::CaptionFrame frame{
        .start_tokens = start_tokens, .end_tokens = end_tokens, .context = context};
    return frame.length(caption_length, trigger_length);
  }

  /// Writes the sequence, and where the trigger is in it. The row does not matter.
  /// @param caption   T, with its start and end tokens
  /// @param trigger   t, [n]
  /// @param out       receives the sequence, [length(caption.size(), n)]
  /// @param positions receives the indices of the trigger's tokens in `out`, [n]
  void place(Index /*row*/, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    auto to = std::copy_n(caption.begin(), start_tokens, out.begin());
    to = std::ranges::copy(trigger, to).out;
    const std::size_t body = out.size() - start_tokens - trigger.size() - end_tokens;
    to = std::copy_n(caption.begin() + static_cast<std::ptrdiff_t>(start_tokens), body, to);
    std::ranges::copy(caption.last(end_tokens), to);
    for (std::size_t p = 0; p < positions.size(); ++p) {
      positions[p] = static_cast<std::int32_t>(start_tokens + p);
    }
  }
};

static_assert(std::is_trivially_copyable_v<FrontPlacement>);
static_assert(TriggerPlacement<FrontPlacement>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
