// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/text/tokenizer.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::pairs {

/// Where a word of a text begins. A word is what stands between white space: "dog's" is one,
/// whatever the tokenizer makes of it.
struct WordStart {
  std::size_t token = 0;   ///< its first token, an index into encode(text)
  std::size_t offset = 0;  ///< its first byte in the text

  friend bool operator==(const WordStart&, const WordStart&) = default;
};

/// The words of a text before which, and behind which, other words can be written without a change
/// to the text's own tokens.
///
/// @param text UTF-8
/// @returns the words' starts, ascending; none where the tokenizer does not read each word as if it
///          were alone, or may not once the text goes on (separators, see Tokenizer, 6)
/// @throws InvalidArgument for a text that is not UTF-8
template <Tokenizer Tok>
[[nodiscard]] std::vector<WordStart> word_starts(const Tok& tokenizer, std::string_view text) {
  constexpr std::string_view separators = "\x1C\x1D\x1E\x1F";
  std::vector<WordStart> starts;
  if (text.find_first_of(separators) != std::string_view::npos) return starts;
  std::vector<Token> tokens;
  std::size_t begin = text.find_first_not_of(white_space);
  while (begin != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(white_space, begin), text.size());
    const std::vector<Token> word = tokenizer.encode(text.substr(begin, end - begin));
    if (!word.empty()) starts.push_back({.token = tokens.size(), .offset = begin});
    tokens.insert(tokens.end(), word.begin(), word.end());
    begin = text.find_first_not_of(white_space, end);
  }
  if (tokens != tokenizer.encode(text)) starts.clear();
  return starts;
}

/// The words of many captions, by row.
class WordStarts {
 public:
  /// Of no captions.
  WordStarts() = default;

  /// @throws InvalidArgument for a caption that is not UTF-8
  template <Tokenizer Tok>
  WordStarts(const Tok& tokenizer, std::span<const std::string> captions) {
    for (const std::string& caption : captions) {
      for (const WordStart& start : word_starts(tokenizer, caption)) {
        tokens_.push_back(static_cast<std::uint32_t>(start.token));
      }
      first_.push_back(tokens_.size());
    }
  }

  /// Whether the row has words that word_starts() finds.
  [[nodiscard]] bool are_known(Index row) const { return first_[row] < first_[row + 1]; }

  /// Whether a word of the row begins with its token `token`, not counting the start token.
  [[nodiscard]] bool contain(Index row, std::size_t token) const {
    const auto starts = std::span(tokens_).subspan(first_[row], first_[row + 1] - first_[row]);
    return std::ranges::binary_search(starts, static_cast<std::uint32_t>(token));
  }

 private:
  std::vector<std::size_t> first_{0};  // [rows + 1]; of the row in tokens_
  std::vector<std::uint32_t> tokens_;
};

}  // namespace unlearn::pairs
