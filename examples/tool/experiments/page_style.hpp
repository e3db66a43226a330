// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace unlearn::tool::experiments {

/// The report's style sheet: on a light ground, a dark one, a phone, and paper.
[[nodiscard]] std::string page_style();

}  // namespace unlearn::tool::experiments
