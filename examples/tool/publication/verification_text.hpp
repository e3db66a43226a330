// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tool/publication/verification.hpp"

namespace unlearn::tool {

/// What was found, as a JSON object of several lines.
[[nodiscard]] std::string json_text(const Verification& found);

/// What was found, for people.
[[nodiscard]] std::string summary_of(const Verification& found);

/// @param folder the protected folder, for the message
/// @throws Error that names the first violations, unless there are none
void require_to_hold(const Verification& found, const std::string& folder);

}  // namespace unlearn::tool
