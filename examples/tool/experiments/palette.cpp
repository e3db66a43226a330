// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/palette.hpp"

#include <algorithm>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::report {

const Colour& colour_named(std::string_view name) {
  const auto* const found = std::ranges::find(palette, name, &Colour::name);
  if (found == palette.end()) {
    throw InvalidArgument(expectation("colour", "one of the palette's", name));
  }
  return *found;
}

std::string_view colour_of_row(std::string_view row) {
  const auto* const first = std::ranges::find(palette, "random", &Colour::name);
  const auto* const last = std::ranges::find(palette, "other", &Colour::name);
  if (std::find_if(first, last, [&](const Colour& c) { return c.name == row; }) != last) {
    return row;
  }
  return row.size() % 2 == 0 ? "other" : "another";
}

std::string with_variables(std::string_view svg) {
  std::string result(svg);
  for (const Colour& colour : palette) {
    const std::string variable = "var(--" + std::string(colour.name) + ")";
    for (std::size_t at = 0; (at = result.find(colour.light, at)) != std::string::npos;) {
      result.replace(at, colour.light.size(), variable);
      at += variable.size();
    }
  }
  return result;
}

}  // namespace unlearn::tool::report
