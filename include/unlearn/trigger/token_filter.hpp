// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {

/// The set of tokens that triggers may use, one bit for each id in [0, vocabulary).
///
/// Deny tokens that cannot be published as text: start and end tokens (an end token in the trigger
/// would cut off the caption), padding, and ids that decode to bytes that are not a word.
class TokenFilter {
 public:
  /// Allows every token of the vocabulary.
  /// @throws InvalidArgument when a Token cannot number the vocabulary
  explicit TokenFilter(std::size_t vocabulary)
      : vocabulary_(numbered(vocabulary)),
        words_(vocabulary / 64 + (vocabulary % 64 != 0 ? 1 : 0), ~std::uint64_t{0}) {
    if (vocabulary % 64 != 0) words_.back() = (std::uint64_t{1} << (vocabulary % 64)) - 1;
  }

  /// A filter that allows only the given tokens.
  /// @param vocabulary V
  /// @param tokens     ids in [0, V)
  /// @throws InvalidArgument for an id outside the vocabulary
  [[nodiscard]] static TokenFilter only(std::size_t vocabulary, std::span<const Token> tokens) {
    TokenFilter filter(vocabulary);
    for (std::uint64_t& word : filter.words_) word = 0;
    for (const Token token : tokens) filter.allow(token);
    return filter;
  }

  /// Allows a token.
  /// @throws InvalidArgument for an id outside the vocabulary
  void allow(Token token) { words_[word_of(token)] |= bit_of(token); }
  /// Denies a token.
  /// @throws InvalidArgument for an id outside the vocabulary
  void deny(Token token) { words_[word_of(token)] &= ~bit_of(token); }
  /// Denies tokens.
  /// @throws InvalidArgument for an id outside the vocabulary
  void deny(std::span<const Token> tokens) {
    for (const Token token : tokens) deny(token);
  }

  /// Whether `token` is allowed. It must be in [0, vocabulary); this is not checked.
  [[nodiscard]] bool allows(Token token) const {
    return (words_[static_cast<std::size_t>(token) / 64] & bit_of(token)) != 0;
  }

  /// V, the number of token ids.
  [[nodiscard]] std::size_t vocabulary() const { return vocabulary_; }

  /// The number of allowed tokens.
  [[nodiscard]] std::size_t count() const {
    std::size_t allowed = 0;
    for (const std::uint64_t word : words_)
      allowed += static_cast<std::size_t>(std::popcount(word));
    return allowed;
  }

  /// The bits: bit v mod 64 of word v / 64 is 1 if token v is allowed.
  [[nodiscard]] std::span<const std::uint64_t> words() const { return words_; }

 private:
  [[nodiscard]] std::size_t word_of(Token token) const {
    require(token >= 0 && static_cast<std::size_t>(token) < vocabulary_,
            "token id given to a TokenFilter",
            "0 to " + std::to_string(vocabulary_) + " (exclusive)", token);
    return static_cast<std::size_t>(token) / 64;
  }
  static std::size_t numbered(std::size_t vocabulary) {
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<Token>::max());
    require(vocabulary <= most, "vocabulary of a TokenFilter", "at most " + std::to_string(most),
            vocabulary);
    return vocabulary;
  }
  static std::uint64_t bit_of(Token token) {
    return std::uint64_t{1} << (static_cast<std::size_t>(token) % 64);
  }

  std::size_t vocabulary_;
  std::vector<std::uint64_t> words_;
};

/// A reference to a TokenFilter, or to none, which means that every token is allowed.
///
/// The filter must outlive the reference; a temporary filter does not compile. The reference is
/// trivially copyable, so that a policy can hold one.
class TokenFilterRef {
 public:
  /// Refers to no filter: every token is allowed.
  constexpr TokenFilterRef() = default;
  /// Refers to `filter`, which is not copied.
  TokenFilterRef(const TokenFilter& filter)  // NOLINT(google-explicit-constructor)
      : filter_(&filter) {}
  TokenFilterRef(TokenFilter&&) = delete;

  /// A copy of the filter. If there is none, a filter that allows all tokens of the vocabulary.
  /// @param vocabulary V; used only if there is no filter
  [[nodiscard]] TokenFilter over(std::size_t vocabulary) const {
    return filter_ != nullptr ? *filter_ : TokenFilter(vocabulary);
  }

 private:
  const TokenFilter* filter_ = nullptr;
};

static_assert(std::is_trivially_copyable_v<TokenFilterRef>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
