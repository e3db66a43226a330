// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <span>

#include "unlearn/core/batch.hpp"

namespace unlearn {

/// Says where the words of a caption begin, so that no trigger is put inside a word. A tokenizer
/// may cut a word into several tokens.
///
/// Requirements, for a rule `w`:
///  1. `w(row, caption, k)` is whether the token caption[k] is the first of its word. The caption
///     is the one of `row`, with its start and end tokens; caption[k] is none of these.
///  2. The answer depends on the arguments alone.
template <class W>
concept WordRule =
    requires(const W& begins_word, Index row, std::span<const Token> caption, std::size_t k) {
      { begins_word(row, caption, k) } -> std::convertible_to<bool>;
    };

/// The WordRule of a tokenizer that has one token for each word.
struct EveryTokenIsAWord {
  /// @returns true
  constexpr bool operator()(Index /*row*/, std::span<const Token> /*caption*/,
                            std::size_t /*k*/) const {
    return true;
  }
};

static_assert(WordRule<EveryTokenIsAWord>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
