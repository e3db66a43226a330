// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {

/// The triggers of a run, [groups, n] token ids: one trigger of n tokens for each trigger group.
///
/// A run without triggers (EM, UAP) has a table with n = 0.
class TriggerTable {
 public:
  /// No groups and no tokens.
  TriggerTable() = default;

  /// Gives each group the same trigger.
  /// @param groups  the number of groups
  /// @param initial the trigger, [n]; may be empty
  /// @throws InvalidArgument when there are too many groups for an Index or for memory
  TriggerTable(std::size_t groups, std::span<const Token> initial)
      : groups_(groups), length_(initial.size()) {
    tokens_.reserve(tokens_of(groups, length_));
    for (std::size_t g = 0; g < groups; ++g) {
      tokens_.insert(tokens_.end(), initial.begin(), initial.end());
    }
  }

  /// Takes the triggers from an array.
  /// @param groups the number of groups
  /// @param length n
  /// @param tokens [groups, n], row by row
  /// @throws InvalidArgument when the size of `tokens` is not groups · n, and as above
  TriggerTable(std::size_t groups, std::size_t length, std::vector<Token> tokens)
      : groups_(groups), length_(length), tokens_(std::move(tokens)) {
    require_size("tokens of a trigger table", tokens_of(groups, length), tokens_.size());
  }

  /// Draws each token uniformly from those that `filter` allows.
  /// @param groups the number of groups
  /// @param length n
  /// @param filter the tokens that triggers may use
  /// @param rng    drawn from
  /// @throws InvalidArgument when the filter allows no token, and as above
  template <std::uniform_random_bit_generator Rng>
  [[nodiscard]] static TriggerTable random(std::size_t groups, std::size_t length,
                                           const TokenFilter& filter, Rng& rng) {
    std::vector<Token> allowed;
    for (std::size_t v = 0; v < filter.vocabulary(); ++v) {
      if (filter.allows(static_cast<Token>(v))) allowed.push_back(static_cast<Token>(v));
    }
    std::vector<Token> tokens(tokens_of(groups, length));
    require(!allowed.empty() || tokens.empty(), "tokens that the filter of random triggers allows",
            "at least 1", 0);
    for (Token& token : tokens) token = allowed[uniform_below(allowed.size(), rng)];
    return {groups, length, std::move(tokens)};
  }

  /// The number of groups, and so of triggers.
  [[nodiscard]] std::size_t groups() const { return groups_; }
  /// n, the number of tokens in each trigger.
  [[nodiscard]] std::size_t length() const { return length_; }

  /// The trigger of a group, [n]. The number of the group is not checked.
  [[nodiscard]] std::span<const Token> operator[](std::size_t group) const {
    return view().row(group);
  }
  /// The trigger of a group, for writing.
  [[nodiscard]] std::span<Token> operator[](std::size_t group) { return view().row(group); }

  /// All triggers, [groups, n]. Valid as long as the table.
  [[nodiscard]] View<const Token, 2> view() const { return {tokens_.data(), {groups_, length_}}; }
  /// All triggers, for writing.
  [[nodiscard]] View<Token, 2> view() { return {tokens_.data(), {groups_, length_}}; }

  /// Whether two tables have equal shapes and tokens.
  friend bool operator==(const TriggerTable&, const TriggerTable&) = default;

 private:
  static std::size_t tokens_of(std::size_t groups, std::size_t length) {
    require_numbered("groups of a trigger table", groups);
    return require_addressable<Token>("groups of a trigger table", groups, length);
  }

  std::size_t groups_ = 0;
  std::size_t length_ = 0;
  std::vector<Token> tokens_;
};

/// Checks that a model has an embedding for each token of the triggers.
/// @param triggers   the table
/// @param vocabulary V, the rows of the model's token embeddings
/// @throws InvalidArgument for a token outside [0, V)
inline void require_in_vocabulary(const TriggerTable& triggers, std::size_t vocabulary) {
  for (std::size_t group = 0; group < triggers.groups(); ++group) {
    const std::span<const Token> trigger = triggers[group];
    for (std::size_t position = 0; position < trigger.size(); ++position) {
      const Token token = trigger[position];
      if (token >= 0 && static_cast<std::size_t>(token) < vocabulary) continue;
      throw InvalidArgument(expectation(
          "token " + std::to_string(position) + " of trigger " + std::to_string(group),
          "below the model's vocabulary of " + std::to_string(vocabulary) + ", and not negative",
          token));
    }
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
