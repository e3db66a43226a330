// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace unlearn::tool::experiments {

/// Runs the program `gnuplot` on a script and gives what it prints. No shell is involved, and no
/// settings of the user's are read.
/// @throws Error when gnuplot is not installed, or complains
[[nodiscard]] std::string run_gnuplot(std::string_view script);

/// Text as a gnuplot string: in single quotes, in which nothing is expanded; control characters
/// become spaces.
[[nodiscard]] std::string gnuplot_string(std::string_view text);

}  // namespace unlearn::tool::experiments
