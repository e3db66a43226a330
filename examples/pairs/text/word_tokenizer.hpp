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

/// A tokenizer whose vocabulary is learned from captions, for models that are trained on these
/// captions only. Each word, digit or run of punctuation is one token; see caption_pieces() for how
/// the text is cut.
///
/// With n words, their ids are 0 to n − 1, the most frequent first. Then come n for every unknown
/// word, n + 1 for start and n + 2 for end. A piece "<|startoftext|>" or "<|endoftext|>" becomes
/// start or end, as with CLIP. Immutable: several threads may call const members at once.
class WordTokenizer {
 public:
  /// Learns the `max_words` words that occur most often in the captions. Words that occur equally
  /// often are ordered by their UTF-8 bytes.
  /// @param captions  UTF-8
  /// @param max_words the largest number of words
  /// @throws InvalidArgument for a caption that is not UTF-8
  [[nodiscard]] static WordTokenizer learn(std::span<const std::string> captions,
                                           std::size_t max_words);

  /// Makes a tokenizer of words with the ids 0 to n − 1, as words() returns them.
  /// @throws InvalidArgument for a word that occurs twice, or that encode() would never return
  [[nodiscard]] static WordTokenizer from_words(std::vector<std::string> words);

  /// Reads a file that save() wrote.
  /// @throws FileError when the file cannot be read, has more than 64 MiB, is not of this
  ///         format, or has a word that occurs twice or that encode() would never return
  [[nodiscard]] static WordTokenizer load(const std::string& path);

  /// Writes the vocabulary as JSON:
  /// {"format": "unlearn words", "version": 1, "words": ["a", ...]}.
  /// The file is written completely and durably, or not at all.
  /// @throws FileError when it cannot be written
  void save(const std::string& path) const;

  /// The tokens of a text, without start and end.
  /// @throws InvalidArgument for a text that is not UTF-8 or has more than 1 GiB
  [[nodiscard]] std::vector<Token> encode(std::string_view text) const;

  /// The text of tokens: the words with a space after each, and U+FFFD for an unknown word.
  /// encode() returns the same tokens again, for all tokens.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] std::string decode(std::span<const Token> tokens) const;

  /// The words by id.
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }

  /// The token of every word that was not learned.
  [[nodiscard]] Token unknown() const { return end() - 2; }
  [[nodiscard]] Token start() const { return end() - 1; }
  [[nodiscard]] Token end() const { return static_cast<Token>(vocabulary() - 1); }

  /// @returns V = n + 3
  [[nodiscard]] std::size_t vocabulary() const { return words_.size() + 3; }

  /// Whether the token is unknown, start or end.
  /// @throws InvalidArgument for an id outside [0, vocabulary())
  [[nodiscard]] bool is_special(Token token) const;

  /// Whether the token is a word of letters only.
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
