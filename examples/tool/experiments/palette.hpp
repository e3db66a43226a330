// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "tool/experiments/row.hpp"

namespace unlearn::tool::experiments {

/// A colour by its role, as it is on paper and on a dark screen ("#rrggbb").
struct Colour {
  std::string_view name;
  std::string_view light;
  std::string_view dark;
};

/// Colours of the page itself, and two for rows that are none of the paper's.
inline constexpr std::array<Colour, 8> page_colours{{
    {"paper", "#fdfcfa", "#15181d"},
    {"raised", "#f4f2ed", "#1e2229"},
    {"ink", "#1f2328", "#e4e7eb"},
    {"muted", "#5d6570", "#a0a9b5"},
    {"rule", "#dcd9d2", "#343b45"},
    {"mark", "#ffe08a", "#6b5310"},
    {"other", "#5a58c9", "#a3a1ff"},
    {"another", "#7a5230", "#cba17c"},
}};

/// All colours: the page's, and that of each row under the row's name.
[[nodiscard]] std::span<const Colour> palette();

/// @throws InvalidArgument for a name that the palette does not have
[[nodiscard]] const Colour& colour_named(std::string_view name);

/// The colour of a row in all figures and tables: its own, or one of two others for a name that no
/// row has.
[[nodiscard]] std::string_view colour_of_row(std::string_view row);

/// A figure's markup with each colour of the light palette replaced by `var(--name)`.
[[nodiscard]] std::string with_variables(std::string_view svg);

}  // namespace unlearn::tool::experiments
