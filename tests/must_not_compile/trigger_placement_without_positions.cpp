// SPDX-License-Identifier: Apache-2.0
// Without the positions of the trigger's tokens, their gradients cannot be computed.
// expect-error: TriggerPlacement
#include <cstddef>
#include <cstdint>
#include <span>

#include "unlearn/trigger/token_sequences.hpp"

using unlearn::Index;
using unlearn::Token;

struct Placement {
  std::size_t length(std::size_t caption, std::size_t trigger) const;
#ifdef UNLEARN_BAD
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out) const;
#else
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const;
#endif
};

unlearn::TokenSequences<Placement> sequences(const Placement& placement) { return {placement, 3}; }
