// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/trigger/detail/caption_frame.hpp"
#include "unlearn/trigger/trigger_placement.hpp"
#include "unlearn/trigger/word_rule.hpp"

namespace unlearn {

/// Puts each token of the trigger t at a drawn place between the words of the caption T.
///
/// The places of a caption of m words are the m + 1 that do not split a word: before each word, and
/// behind the last one. The place of each token is drawn uniformly, independently of the others;
/// several may get the same. The drawn places are then sorted, so t_1, ..., t_n keep their order.
///
/// The draws depend on the seed and the row alone: a row has its trigger at the same places in
/// every batch, on every thread and after a resume. If the sequence exceeds the context, the last
/// tokens of the caption are left out first, and the places are those in what is left. A word that
/// this cuts has no place behind it. So no token of the trigger is ever cut, and the sequence is
/// what a tokenizer makes of the whole caption with the trigger between its words.
template <WordRule Words = EveryTokenIsAWord>
struct AnywherePlacement {
  std::uint64_t seed = 0;        ///< another seed gives other places
  std::size_t start_tokens = 1;  ///< tokens at a caption's start, before the first place
  std::size_t end_tokens = 1;    ///< tokens at a caption's end, behind the last place
  std::size_t context = 77;      ///< the longest sequence that the model takes
  Words words{};                 ///< where words begin

  /// The length of the sequence that place() writes.
  /// @param caption_length tokens of the caption, with its start and end tokens
  /// @param trigger_length n
  /// @throws InvalidArgument when a caption is shorter than its start and end tokens, or when these
  ///         and the trigger alone exceed the context
  [[nodiscard]] std::size_t length(std::size_t caption_length, std::size_t trigger_length) const {
    return frame().length(caption_length, trigger_length);
  }

  /// Writes the sequence, and where the trigger is in it.
  /// @param row       the caption's row, which the places are drawn for
  /// @param caption   T, with its start and end tokens
  /// @param trigger   t, [n]
  /// @param out       receives the sequence, [length(caption.size(), n)]
  /// @param positions receives the indices of the trigger's tokens in `out`, [n]
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    const std::size_t last = out.size() - trigger.size() - end_tokens;
    const auto is_place = [&](std::size_t k) { return frame().is_place(words, row, caption, k); };
    std::size_t places = 0;
    for (std::size_t k = start_tokens; k <= last; ++k) {
      if (is_place(k)) ++places;
    }
    // The second generator keeps the rows of one seed apart from those of the next seed.
    SplitMix64 rng(SplitMix64(SplitMix64(seed)() + row)());
    for (std::int32_t& place : positions) {
      place = static_cast<std::int32_t>(uniform_below(places, rng));
    }
    std::ranges::sort(positions);

    std::size_t k = start_tokens;
    std::int32_t number = 0;  // of the place at k
    for (std::int32_t& position : positions) {
      for (; number < position; ++number) {
        ++k;
        while (!is_place(k)) ++k;
      }
      position = static_cast<std::int32_t>(k);
    }
    frame().write(caption, trigger, out, positions);
  }

 private:
  [[nodiscard]] detail::CaptionFrame frame() const {
    return {.start_tokens = start_tokens, .end_tokens = end_tokens, .context = context};
  }
};

static_assert(std::is_trivially_copyable_v<AnywherePlacement<>>);
static_assert(TriggerPlacement<AnywherePlacement<>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
