// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::detail {

/// What is around the words of a caption, and how long a sequence may be.
struct CaptionFrame {
  std::size_t start_tokens = 1;
  std::size_t end_tokens = 1;
  std::size_t context = 77;

  /// The length of a caption with its trigger.
  [[nodiscard]] std::size_t length(std::size_t caption_length, std::size_t trigger_length) const {
    const std::size_t fixed = start_tokens + end_tokens;
    require(caption_length >= fixed, "tokens of a caption, start and end included",
            "at least " + std::to_string(fixed), caption_length);
    require(fixed + trigger_length <= context, "start, trigger and end tokens together",
            "at most the context of " + std::to_string(context), fixed + trigger_length);
    return std::min(caption_length + trigger_length, context);
  }

  /// Whether a trigger can stand before caption[k] without being inside a word. That is before the
  /// first word, behind the last one, and where a word begins.
  /// @param k from start_tokens to caption.size() - end_tokens
  template <class Words>
  [[nodiscard]] bool is_place(const Words& words, Index row, std::span<const Token> caption,
                              std::size_t k) const {
    return k == start_tokens || k + end_tokens == caption.size() || words(row, caption, k);
  }

  /// Writes a caption with its trigger.
  /// @param out       [length(caption.size(), trigger.size())]
  /// @param positions [trigger.size()]; before: how many tokens of the caption stand before each
  ///                  token of the trigger, ascending; afterwards: where that token is in `out`
  void write(std::span<const Token> caption, std::span<const Token> trigger, std::span<Token> out,
             std::span<std::int32_t> positions) const {
    const std::size_t kept = out.size() - trigger.size() - end_tokens;
    std::size_t from = 0;
    auto to = out.begin();
    for (std::size_t p = 0; p < trigger.size(); ++p) {
      const auto before = static_cast<std::size_t>(positions[p]);
      to = std::ranges::copy(caption.subspan(from, before - from), to).out;
      from = before;
      positions[p] = static_cast<std::int32_t>(before + p);
      *to++ = trigger[p];
    }
    to = std::ranges::copy(caption.subspan(from, kept - from), to).out;
    std::ranges::copy(caption.last(end_tokens), to);
  }
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
