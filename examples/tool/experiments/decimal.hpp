// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace unlearn::tool::experiments {

/// A number with so many digits behind the point, in every locale alike.
[[nodiscard]] std::string decimal(double value, int digits);

/// A median rank: whole, or with one digit where it is a mean that is not.
[[nodiscard]] std::string rank_in_words(double rank);

/// How many times as large: "5.1", from ten on "12".
[[nodiscard]] std::string ratio_in_words(double ratio);

/// "42 s", "11 min 52 s", "3 h 05 min"
[[nodiscard]] std::string duration_in_words(double seconds);

}  // namespace unlearn::tool::experiments
