// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/trigger/trigger_placement.hpp"

namespace unlearn {

/// Collects sequences T ⊕ t, captions with their triggers, for one TokenBatch.
///
/// The sequences are padded to the longest of them, not to the context: in a causal text tower, the
/// tokens behind the end token have no effect.
template <TriggerPlacement Placement>
class TokenSequences {
 public:
  /// @param placement      where a trigger is put in its caption; copied
  /// @param trigger_length n, the same for every sequence
  TokenSequences(const Placement& placement, std::size_t trigger_length)
      : placement_(placement), trigger_length_(trigger_length) {}

  /// Removes all sequences.
  void clear() {
    flat_.clear();
    lengths_.clear();
    positions_.clear();
  }

  /// Appends the sequence caption ⊕ trigger.
  /// @param row     the caption's row, which the placement is told
  /// @param caption T, with its start and end tokens
  /// @param trigger t, [n]
  /// @throws InvalidArgument for a trigger of another length, and what `Placement` throws; nothing
  ///         is appended then
  void add(Index row, std::span<const Token> caption, std::span<const Token> trigger) {
    require_size("tokens of a trigger", trigger_length_, trigger.size());
    const std::size_t length = placement_.length(caption.size(), trigger.size());
    flat_.resize(flat_.size() + length);
    positions_.resize(positions_.size() + trigger.size());
    try {
      placement_.place(row, caption, trigger, std::span(flat_).last(length),
                       std::span(positions_).last(trigger.size()));
    } catch (...) {  // a rule of the user's may throw
      flat_.resize(flat_.size() - length);
      positions_.resize(positions_.size() - trigger.size());
      throw;
    }
    lengths_.push_back(static_cast<std::int32_t>(length));
  }

  /// R, the number of sequences.
  [[nodiscard]] std::size_t size() const { return lengths_.size(); }

  /// All sequences, [R, L], padded with 0. Valid until the next call of add(), batch() or clear().
  [[nodiscard]] TokenBatch batch() {
    const std::size_t rows = lengths_.size();
    const std::size_t width = rows == 0 ? 0 : static_cast<std::size_t>(std::ranges::max(lengths_));
    padded_.assign(rows * width, 0);
    auto from = flat_.begin();
    for (std::size_t r = 0; r < rows; ++r) {
      const auto to = padded_.begin() + static_cast<std::ptrdiff_t>(r * width);
      std::copy_n(from, lengths_[r], to);
      from += lengths_[r];
    }
    return {.tokens = {padded_.data(), {rows, width}},
            .lengths = lengths_,
            .trigger_positions = {positions_.data(), {rows, trigger_length_}}};
  }

 private:
  Placement placement_;
  std::size_t trigger_length_;
  std::vector<Token> flat_;
  std::vector<std::int32_t> lengths_;
  std::vector<std::int32_t> positions_;
  std::vector<Token> padded_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
