// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace unlearn::tool::report {

/// A colour by its role, as it is on paper and on a dark screen ("#rrggbb").
struct Colour {
  std::string_view name;
  std::string_view light;
  std::string_view dark;
};

/// The page's and the figures' colours. Those of methods are Okabe and Ito's, darkened or lightened
/// to stand out from the page: people of any colour vision tell them apart, and every figure names
/// its lines besides.
inline constexpr std::array<Colour, 14> palette{{
    {"paper", "#fdfcfa", "#15181d"},
    {"raised", "#f4f2ed", "#1e2229"},
    {"ink", "#1f2328", "#e4e7eb"},
    {"muted", "#5d6570", "#a0a9b5"},
    {"rule", "#dcd9d2", "#343b45"},
    {"mark", "#ffe08a", "#6b5310"},
    {"random", "#767c85", "#9aa2ad"},
    {"clean", "#0072b2", "#5ab4e6"},
    {"em", "#b07d00", "#e8b13a"},
    {"uap", "#00875f", "#35c59a"},
    {"mem3", "#d55e00", "#ff8f4f"},
    {"mem5", "#a8427f", "#e58cc2"},
    {"other", "#5a58c9", "#a3a1ff"},
    {"another", "#7a5230", "#cba17c"},
}};

/// @throws InvalidArgument for a name that the palette has not
[[nodiscard]] const Colour& colour_named(std::string_view name);

/// The colour of a method, in whatever figure: its own, or for a method that is none of the
/// paper's, one of two others.
[[nodiscard]] std::string_view colour_of_row(std::string_view row);

/// A figure's markup with each colour of the light palette replaced by `var(--name)`.
[[nodiscard]] std::string with_variables(std::string_view svg);

}  // namespace unlearn::tool::report
