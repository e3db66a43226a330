// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/palette.hpp"

#include <algorithm>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {

std::span<const Colour> palette() {
  static constexpr auto all = [] {
    std::array<Colour, page_colours.size() + all_rows.size()> colours{};
    auto* next = std::ranges::copy(page_colours, colours.begin()).out;
    for (const Row* row : all_rows) *next++ = {row->name, row->colour.light, row->colour.dark};
    return colours;
  }();
  return all;
}

const Colour& colour_named(std::string_view name) {
  const auto all = palette();
  const auto found = std::ranges::find(all, name, &Colour::name);
  if (found == all.end()) {
    throw InvalidArgument(expectation("colour", "one of the palette's", name));
  }
  return *found;
}

std::string_view colour_of_row(std::string_view row) {
  if (find_row(row) != nullptr) return row;
  return row.size() % 2 == 0 ? "other" : "another";
}

std::string with_variables(std::string_view svg) {
  std::string result(svg);
  for (const Colour& colour : palette()) {
    const std::string variable = "var(--" + std::string(colour.name) + ")";
    for (std::size_t at = 0; (at = result.find(colour.light, at)) != std::string::npos;) {
      result.replace(at, colour.light.size(), variable);
      at += variable.size();
    }
  }
  return result;
}

}  // namespace unlearn::tool::experiments
