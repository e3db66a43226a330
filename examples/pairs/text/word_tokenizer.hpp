// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pairs/text/tokenizer.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::pairs {

/// A tokenizer whose vocabulary is learned from the captions at hand, for models trained on them
/// alone: one token for each word, digit or run of punctuation, cut as CLIP cuts (caption_pieces).
///
/// Ids, for n words: the words, 0 to n − 1, the most frequent first, then n for every word that is
/// unknown, n + 1 for start, n + 2 for end. A piece that reads "<|startoftext|>" or "<|endoftext|>"
/// is start or end, as with CLIP. Const members may be called from several threads at once.
class WordTokenizer {
 public:
  /// The `max_words` words that occur most often in the captions; of words that occur equally
  /// often, those that come first in the order of their UTF-8 bytes.
  /// @throws InvalidArgument for a caption that is not UTF-8
  [[nodiscard]] static WordTokenizer learn(std::span<const std::string> captions,
                                           std::size_t max_words);

  /// Words with the ids 0 to n − 1, as words() tells them.
  /// @throws InvalidArgument for a word that is there twice, or one that encode() would not find in
  ///         a text as it stands
  [[nodiscard]] static WordTokenizer from_words(std::vector<std::string> words);

  /// Reads what save() wrote.
  /// @throws FileError when the file cannot be read, has more than 64 MiB, or is anything else,
  ///         also with a word twice, or one that encode() would not find in a text as it stands
  [[nodiscard]] static WordTokenizer load(const std::string& path);

  /// Writes the vocabulary as JSON, complete and durable or not at all:
  /// {"format": "unlearn words", "version": 1, "words": ["a", ...]}.
  /// @throws FileError when it cannot be written
  void save(const std::string& path) const;

  /// The tokens of a text, without start and end.
  /// @throws InvalidArgument for a text that is not UTF-8 or has more than 1 GiB
  [[nodiscard]] std::vector<Token> encode(std::string_view text) const;

  /// The words, a space behind each; U+FFFD for the unknown one. encode() gives the same tokens
  /// again, whatever they are.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] std::string decode(std::span<const Token> tokens) const;

  /// The words by id.
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }

  /// Also every word that has not been learned.
  [[nodiscard]] Token unknown() const { return end() - 2; }
  [[nodiscard]] Token start() const { return end() - 1; }
  [[nodiscard]] Token end() const { return static_cast<Token>(vocabulary() - 1); }

  /// V = n + 3.
  [[nodiscard]] std::size_t vocabulary() const { return words_.size() + 3; }

  /// Whether it is unknown, start or end.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_special(Token token) const;

  /// Whether it is a word of letters alone.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_whole_word(Token token) const;

 private:
  explicit WordTokenizer(std::vector<std::string> words);

  [[nodiscard]] std::string_view text_of(Token token) const;

  std::vector<std::string> words_;
  std::unordered_map<std::string, Token> ids_;  ///< of words, start and end
};

static_assert(Tokenizer<WordTokenizer>);

}  // namespace unlearn::pairs
