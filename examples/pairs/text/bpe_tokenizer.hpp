// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pairs/text/tokenizer.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::pairs {

/// CLIP's tokenizer: byte pair encoding of the UTF-8 bytes of each piece of a text (see
/// caption_pieces), by a list of merges.
///
/// A piece starts as one symbol per byte; the last symbol is marked as the end of a word ("</w>").
/// While the list has a merge for two neighbours, the merge that comes first in the list is applied
/// everywhere in the piece, from left to right. The ids are: 256 bytes (the printable ones of
/// Latin-1 first), the same bytes at the end of a word, the 48,894 merges in the order of the list,
/// start and end; 49,408 in all. A piece "<|startoftext|>" or "<|endoftext|>" becomes that one
/// token, as in the reference. Take care with captions from strangers.
///
/// Immutable: several threads may call const members at once.
/// Source: Radford et al. 2021, section 2.4, and the tokenizer published with it.
class BpeTokenizer {
 public:
  /// Reads `bpe_simple_vocab_16e6.txt`, plain or compressed by gzip: a line with "#version:", then
  /// one merge of two symbols per line. Of a longer list, the first 48,894 merges are used.
  /// @throws FileError when the file cannot be read, is damaged, has more than 64 MiB of text, has
  ///         too few merges, or has a merge whose symbols do not come before it or whose result
  ///         does
  [[nodiscard]] static BpeTokenizer from_file(const std::string& path);

  /// The tokens of a text, without start and end. Takes O(n log n) time for any n bytes.
  /// @throws InvalidArgument for a text that is not UTF-8 or has more than 1 GiB
  [[nodiscard]] std::vector<Token> encode(std::string_view text) const;

  /// The text of tokens: in lower case, with a space after each word, and U+FFFD for bytes that are
  /// not UTF-8. The spaces differ from those of the original text. But if the tokens came from
  /// encode() (see Tokenizer, 3) and were not cut off within a word, encode() returns them again.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] std::string decode(std::span<const Token> tokens) const;

  [[nodiscard]] Token start() const { return end() - 1; }
  [[nodiscard]] Token end() const { return static_cast<Token>(vocabulary() - 1); }

  /// @returns V = 49,408
  [[nodiscard]] std::size_t vocabulary() const { return symbols_.size(); }

  /// Whether the token is start or end.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_special(Token token) const;

  /// Whether the token consists of letters only, up to the end of a word. It can also be the end of
  /// a longer word. Capital letters are tokens of one byte, but no text is encoded to them.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_whole_word(Token token) const;

 private:
  class PieceMerger;

  BpeTokenizer() = default;

  [[nodiscard]] const std::string& symbol(Token token) const;

  std::vector<std::string> symbols_;  ///< [V]; bytes, then "</w>" at the end of a word
  std::unordered_map<std::uint64_t, std::uint32_t> ranks_;  ///< of the merges, by their two symbols
};

static_assert(Tokenizer<BpeTokenizer>);

}  // namespace unlearn::pairs
