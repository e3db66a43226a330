// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/initial_triggers.hpp"

#include <span>
#include <string>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn::tool {

TokenFilter publishable_tokens(const pairs::AnyTokenizer& tokenizer, bool readable) {
  TokenFilter filter(tokenizer.vocabulary());
  filter.deny(pairs::unpublishable(tokenizer));
  for (std::size_t v = 0; readable && v < tokenizer.vocabulary(); ++v) {
    const auto token = static_cast<Token>(v);
    if (!tokenizer.is_whole_word(token)) filter.deny(token);
  }
  require(filter.count() > 0, "tokens that a trigger may have", "at least 1", 0);
  return filter;
}

TriggerTable initial_triggers(const ProtectionPlan& plan, const pairs::AnyTokenizer& tokenizer,
                              const TokenFilter& filter, std::size_t groups, std::mt19937_64& rng) {
  if (plan.trigger_length == 0) return {groups, std::span<const Token>()};
  if (plan.initial_trigger == "random") {
    return TriggerTable::random(groups, plan.trigger_length, filter, rng);
  }
  const std::vector<Token> tokens = tokenizer.encode(plan.initial_trigger);
  require(tokens.size() == 1 && filter.allows(tokens[0]),
          "initial trigger '" + plan.initial_trigger + "'",
          "`random`, or a word that is one publishable token",
          std::to_string(tokens.size()) + " tokens");
  return {groups, std::vector<Token>(plan.trigger_length, tokens[0])};
}

}  // namespace unlearn::tool
