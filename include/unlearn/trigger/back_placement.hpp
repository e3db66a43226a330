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
#include "unlearn/trigger/word_rule.hpp"

namespace unlearn {

/// T ⊕ t = (start, caption, t_1, ..., t_n, end): puts the trigger t behind the caption's last word.
///
/// If the sequence exceeds the context, the last tokens of the caption T are left out, never tokens
/// of the trigger or the end token. If this cuts a word of several tokens, the trigger stands
/// before that word, and what is left of the word behind the trigger. So the sequence is what a
/// tokenizer makes of the whole caption with the trigger between two of its words.
template <WordRule Words = EveryTokenIsAWord>
struct BackPlacement {
  std::size_t start_tokens = 1;  ///< tokens at a caption's start
  std::size_t end_tokens = 1;    ///< tokens at a caption's end, behind the trigger
  std::size_t context = 77;      ///< the longest sequence that the model takes
  Words words{};                 ///< where words begin; asked only if the caption is cut

  /// The length of the sequence that place() writes.
  /// @param caption_length tokens of the caption, with its start and end tokens
  /// @param trigger_length n
  /// @throws InvalidArgument when a caption is shorter than its start and end tokens, or when these
  ///         and the trigger alone exceed the context
  [[nodiscard]] std::size_t length(std::size_t caption_length, std::size_t trigger_length) const {
    return frame().length(caption_length, trigger_length);
  }

  /// Writes the sequence, and where the trigger is in it.
  /// @param row       the caption's row; `words` is told it
  /// @param caption   T, with its start and end tokens
  /// @param trigger   t, [n]
  /// @param out       receives the sequence, [length(caption.size(), n)]
  /// @param positions receives the indices of the trigger's tokens in `out`, [n]
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    std::size_t k = out.size() - trigger.size() - end_tokens;
    while (!frame().is_place(words, row, caption, k)) --k;
    std::ranges::fill(positions, static_cast<std::int32_t>(k));
    frame().write(caption, trigger, out, positions);
  }

 private:
  [[nodiscard]] detail::CaptionFrame frame() const {
    return {.start_tokens = start_tokens, .end_tokens = end_tokens, .context = context};
  }
};

static_assert(std::is_trivially_copyable_v<BackPlacement<>>);
static_assert(TriggerPlacement<BackPlacement<>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
