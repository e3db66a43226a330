// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/tokenizer.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::pairs {

/// CLIP's tokenizer, or one that was learned from captions; the file decides at run time.
/// A Tokenizer: every call goes to the one that it holds.
class AnyTokenizer {
  template <class Call>
  auto visit(const Call& call) const {
    return std::visit(call, tokenizer_);
  }

 public:
  AnyTokenizer(BpeTokenizer tokenizer)
      : tokenizer_(std::move(tokenizer)) {}  // NOLINT(*-explicit-*)
  AnyTokenizer(WordTokenizer tokenizer)
      : tokenizer_(std::move(tokenizer)) {}  // NOLINT(*-explicit-*)

  /// Reads CLIP's merge list, plain or compressed by gzip, or a JSON file of WordTokenizer::save().
  /// @throws FileError when the file cannot be read, or is neither of them
  [[nodiscard]] static AnyTokenizer from_file(const std::string& path);

  [[nodiscard]] std::vector<Token> encode(std::string_view text) const {
    return visit([&](const auto& t) { return t.encode(text); });
  }
  [[nodiscard]] std::string decode(std::span<const Token> tokens) const {
    return visit([&](const auto& t) { return t.decode(tokens); });
  }
  [[nodiscard]] Token start() const {
    return visit([](const auto& t) { return t.start(); });
  }
  [[nodiscard]] Token end() const {
    return visit([](const auto& t) { return t.end(); });
  }
  [[nodiscard]] std::size_t vocabulary() const {
    return visit([](const auto& t) { return t.vocabulary(); });
  }
  [[nodiscard]] bool is_special(Token token) const {
    return visit([&](const auto& t) { return t.is_special(token); });
  }
  [[nodiscard]] bool is_whole_word(Token token) const {
    return visit([&](const auto& t) { return t.is_whole_word(token); });
  }

  /// @returns the learned tokenizer; null for CLIP's
  [[nodiscard]] const WordTokenizer* words() const {
    return std::get_if<WordTokenizer>(&tokenizer_);
  }

 private:
  std::variant<BpeTokenizer, WordTokenizer> tokenizer_;
};

static_assert(Tokenizer<AnyTokenizer>);

}  // namespace unlearn::pairs
