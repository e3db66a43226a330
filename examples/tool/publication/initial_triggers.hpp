// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <random>

#include "pairs/text/any_tokenizer.hpp"
#include "tool/publication/protection_plan.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn::tool {

/// The tokens that a published trigger may have.
/// @param readable only tokens that are whole words
/// @throws InvalidArgument when there are none
[[nodiscard]] TokenFilter publishable_tokens(const pairs::AnyTokenizer& tokenizer, bool readable);

/// The triggers that a run starts with: random ones, or the plan's word, repeated.
/// @throws InvalidArgument when the plan's word is not one token that `filter` allows
[[nodiscard]] TriggerTable initial_triggers(const ProtectionPlan& plan,
                                            const pairs::AnyTokenizer& tokenizer,
                                            const TokenFilter& filter, std::size_t groups,
                                            std::mt19937_64& rng);

}  // namespace unlearn::tool
