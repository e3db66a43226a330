// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {

/// Text to tokens and back, for a text tower that pools at the largest id.
///
/// Requirements, for a tokenizer `t` of V = `t.vocabulary()` tokens, a UTF-8 text `s`, tokens `a`
/// and `v` in [0, V):
///  1. `t.encode(s)` is the text's tokens, all in [0, V), without start and end.
///     InvalidArgument for a text that is not UTF-8.
///  2. `t.decode(a)` is a UTF-8 text with a space after each word, including the last one, so that
///     another text can directly follow it. InvalidArgument for an id outside [0, V).
///  3. encode(decode(encode(s))) = encode(s), with the exception that caption_pieces() describes.
///  4. `t.end()` is V - 1 and `t.start()` is V - 2.
///  5. `t.is_special(v)` says whether v has no text of its own: start, end, unknown.
///     `t.is_whole_word(v)` says whether v consists of letters only, up to the end of a word.
///     InvalidArgument for an id outside [0, V).
///  6. If encode(decode(v)) = v and v is not special for each token v of `a`, then
///     encode(decode(a) + s) is `a` and then encode(s), for a text `s` without separators
///     (U+001C to U+001F).
///  7. Several threads may make these calls at once.
template <class T>
concept Tokenizer = requires(const T& t, std::string_view s, std::span<const Token> a, Token v) {
  { t.encode(s) } -> std::same_as<std::vector<Token>>;
  { t.decode(a) } -> std::same_as<std::string>;
  { t.start() } -> std::same_as<Token>;
  { t.end() } -> std::same_as<Token>;
  { t.vocabulary() } -> std::same_as<std::size_t>;
  { t.is_special(v) } -> std::same_as<bool>;
  { t.is_whole_word(v) } -> std::same_as<bool>;
};

/// A caption as input of the text tower: start, the text's tokens, end.
///
/// If the text is too long, its last tokens are left out. The end token is always kept, since the
/// tower pools there.
/// @param text    UTF-8
/// @param context L, the largest number of tokens that the model takes; 77 for CLIP
/// @returns at most L ids
/// @throws InvalidArgument for a context below 2, or a text that is not UTF-8
template <Tokenizer Tok>
[[nodiscard]] std::vector<Token> caption_tokens(const Tok& tokenizer, std::string_view text,
                                                std::size_t context) {
  require(context >= 2, "context length of a caption", "at least 2, for start and end", context);
  std::vector<Token> caption = tokenizer.encode(text);
  caption.resize(std::min(caption.size(), context - 2));
  caption.insert(caption.begin(), tokenizer.start());
  caption.push_back(tokenizer.end());
  return caption;
}

/// The text to publish.
/// @returns the trigger's text, followed by the unchanged caption
/// @throws InvalidArgument for an id outside the vocabulary
template <Tokenizer Tok>
[[nodiscard]] std::string with_trigger(const Tok& tokenizer, std::span<const Token> trigger,
                                       std::string_view caption) {
  return tokenizer.decode(trigger).append(caption);
}

/// What separates the words of a caption's text.
inline constexpr std::string_view white_space = " \t\n\v\f\r";

/// The text to publish, with each token of the trigger before a byte of the caption's own.
///
/// With all offsets 0, this is with_trigger(). Behind the caption's last word there is no space.
/// @param offsets [trigger.size()], ascending; each 0, where a word begins, or caption.size()
/// @returns the unchanged caption with the text of the trigger's tokens between its words
/// @throws InvalidArgument for an id outside the vocabulary
template <Tokenizer Tok>
[[nodiscard]] std::string with_trigger_at(const Tok& tokenizer, std::span<const Token> trigger,
                                          std::string_view caption,
                                          std::span<const std::size_t> offsets) {
  std::string text;
  std::size_t from = 0;
  for (std::size_t p = 0; p < trigger.size();) {
    const auto count = static_cast<std::size_t>(std::ranges::count(offsets, offsets[p]));
    text.append(caption.substr(from, offsets[p] - from));
    from = offsets[p];
    if (!text.empty() && white_space.find(text.back()) == std::string_view::npos) text += ' ';
    text.append(tokenizer.decode(trigger.subspan(p, count)));
    p += count;
  }
  if (from > 0 && from == caption.size() && text.ends_with(' ')) text.pop_back();
  return text.append(caption.substr(from));
}

/// Whether the published text is encoded to the trigger's tokens followed by the caption's tokens:
/// encode(decode(trigger) + caption) = trigger, encode(caption).
/// @throws InvalidArgument for an id outside the vocabulary, or a caption that is not UTF-8
template <Tokenizer Tok>
[[nodiscard]] bool round_trips(const Tok& tokenizer, std::span<const Token> trigger,
                               std::string_view caption) {
  std::vector<Token> expected(trigger.begin(), trigger.end());
  const std::vector<Token> behind = tokenizer.encode(caption);
  expected.insert(expected.end(), behind.begin(), behind.end());
  return tokenizer.encode(with_trigger(tokenizer, trigger, caption)) == expected;
}

/// The same for a caption that is given by its tokens, without start and end. These must come back,
/// too: encode(decode(trigger) + decode(caption)) = trigger, caption.
/// @throws InvalidArgument for an id outside the vocabulary
template <Tokenizer Tok>
[[nodiscard]] bool round_trips(const Tok& tokenizer, std::span<const Token> trigger,
                               std::span<const Token> caption) {
  std::vector<Token> expected(trigger.begin(), trigger.end());
  expected.insert(expected.end(), caption.begin(), caption.end());
  return tokenizer.encode(with_trigger(tokenizer, trigger, tokenizer.decode(caption))) == expected;
}

/// The ids that cannot be published as text. These are the special ones, and every v with
/// encode(decode(v)) ≠ v: parts of words, bytes that are not UTF-8 on their own, and text that is
/// encoded to another token. Any sequence of the other ids survives before a caption (Tokenizer,
/// 6).
///
/// Encodes each id once; for CLIP's vocabulary, this takes a fraction of a second.
/// @returns the ids in ascending order
template <Tokenizer Tok>
[[nodiscard]] std::vector<Token> unpublishable(const Tok& tokenizer) {
  std::vector<Token> ids;
  for (std::size_t v = 0; v < tokenizer.vocabulary(); ++v) {
    const auto token = static_cast<Token>(v);
    const std::span<const Token> alone(&token, 1);
    if (tokenizer.is_special(token) || !round_trips(tokenizer, alone, std::string_view())) {
      ids.push_back(token);
    }
  }
  return ids;
}

}  // namespace unlearn::pairs
