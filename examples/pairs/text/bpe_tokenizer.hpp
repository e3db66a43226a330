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
/// A piece begins as one symbol for each byte, the last one marked as the end of a word ("</w>").
/// As long as the list has a merge for two neighbours, the one that stands first in the list is
/// applied, everywhere in the piece, from left to right. Ids are: 256 bytes (the printable ones of
/// Latin-1 first), the same bytes at the end of a word, the 48,894 merges in the list's order,
/// start and end; 49,408 in all. A piece that reads "<|startoftext|>" or "<|endoftext|>" is that
/// one token, as in the reference: take care with captions from strangers.
///
/// A value without state that changes: const members may be called from several threads at once.
/// Source: Radford et al. 2021, section 2.4, and the tokenizer published with it.
class BpeTokenizer {
 public:
  /// Reads `bpe_simple_vocab_16e6.txt`: a line with "#version:", then merges, two symbols to a
  /// line; plain or compressed by gzip, told apart by content. Of a longer list, the first 48,894
  /// merges count.
  /// @throws FileError when the file cannot be read, is damaged, has more than 64 MiB of text, or
  ///         holds anything else: too few merges, a merge of symbols that do not stand above it or
  ///         one that makes a symbol which does
  [[nodiscard]] static BpeTokenizer from_file(const std::string& path);

  /// The tokens of a text, without start and end. Takes O(n log n) for n bytes, whatever they are.
  /// @throws InvalidArgument for a text that is not UTF-8 or has more than 1 GiB
  [[nodiscard]] std::vector<Token> encode(std::string_view text) const;

  /// The text of tokens, a space behind each word, U+FFFD for bytes that are no UTF-8. Lower case,
  /// and the spaces are not those of the original; but encode() gives the same tokens again where
  /// these came from encode() (see Tokenizer, 3), unless they were cut off within a word.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] std::string decode(std::span<const Token> tokens) const;

  [[nodiscard]] Token start() const { return end() - 1; }
  [[nodiscard]] Token end() const { return static_cast<Token>(vocabulary() - 1); }

  /// V = 49,408.
  [[nodiscard]] std::size_t vocabulary() const { return symbols_.size(); }

  /// Whether it is start or end.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_special(Token token) const;

  /// Whether it is letters alone, up to the end of a word. Its beginning may stand for the middle
  /// of a longer word, too; and the capital letters, tokens of one byte each, are no text's tokens.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_whole_word(Token token) const;

 private:
  class PieceMerger;

  BpeTokenizer() = default;

  [[nodiscard]] const std::string& symbol(Token token) const;

  std::vector<std::string> symbols_;  ///< [V]; bytes, then "</w>" where a word ends
  std::unordered_map<std::uint64_t, std::uint32_t> ranks_;  ///< of a merge, by its two symbols
};

static_assert(Tokenizer<BpeTokenizer>);

}  // namespace unlearn::pairs
