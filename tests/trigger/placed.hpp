// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn::testing {

/// What a placement writes.
struct Placed {
  std::vector<Token> sequence{};
  std::vector<std::int32_t> positions{};

  friend bool operator==(const Placed&, const Placed&) = default;
};

Placed placed(const auto& placement, Index row, const std::vector<Token>& caption,
              const std::vector<Token>& trigger) {
  Placed result{std::vector<Token>(placement.length(caption.size(), trigger.size()), -7),
                std::vector<std::int32_t>(trigger.size(), -7)};
  placement.place(row, caption, trigger, result.sequence, result.positions);
  return result;
}

inline constexpr Token start_token = 1000;
inline constexpr Token end_token = 1001;

/// Tokens from 100 on go on with a word; all others begin one.
struct BeginsBelow100 {
  bool operator()(Index /*row*/, std::span<const Token> caption, std::size_t k) const {
    return caption[k] < 100;
  }
};

/// A caption of up to ten tokens, cut into words at random, and a trigger of up to four tokens.
struct DrawnCase {
  explicit DrawnCase(SplitMix64& rng) {
    const std::size_t tokens = uniform_below(11, rng);
    for (std::size_t k = 0; k < tokens; ++k) {
      const bool goes_on = k > 0 && uniform_below(3, rng) == 0;
      caption.push_back(static_cast<Token>(k + (goes_on ? 100U : 0U)));
    }
    caption.insert(caption.begin(), start_tokens, start_token);
    caption.insert(caption.end(), end_tokens, end_token);
    const std::size_t length = uniform_below(5, rng);
    for (std::size_t p = 0; p < length; ++p) trigger.push_back(static_cast<Token>(500 + p));
    context = start_tokens + end_tokens + length + uniform_below(12, rng);
  }

  static constexpr std::size_t start_tokens = 2;
  static constexpr std::size_t end_tokens = 1;
  std::vector<Token> caption{};
  std::vector<Token> trigger{};
  std::size_t context = 0;

  /// How many tokens of the caption remain, without its end tokens.
  [[nodiscard]] std::size_t kept() const {
    return std::min(caption.size(), context - trigger.size()) - end_tokens;
  }

  /// The indices in the caption before which a trigger may stand, found one by one.
  [[nodiscard]] std::vector<std::size_t> places() const {
    std::vector<std::size_t> found;
    for (std::size_t k = start_tokens; k <= kept(); ++k) {
      const bool first = k == start_tokens;
      const bool begins = caption[k] < 100 || caption[k] == end_token;
      if (first || begins) found.push_back(k);
    }
    return found;
  }

  /// The sequence with trigger token p before caption[before[p]].
  [[nodiscard]] std::vector<Token> with_trigger_before(
      const std::vector<std::size_t>& before) const {
    std::vector<Token> sequence;
    for (std::size_t k = 0; k <= kept(); ++k) {
      for (std::size_t p = 0; p < trigger.size(); ++p) {
        if (before[p] == k) sequence.push_back(trigger[p]);
      }
      if (k < kept()) sequence.push_back(caption[k]);
    }
    sequence.push_back(end_token);
    return sequence;
  }
};

}  // namespace unlearn::testing
