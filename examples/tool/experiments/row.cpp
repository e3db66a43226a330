// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/row.hpp"

#include <algorithm>

namespace unlearn::tool::experiments {

const Row* find_row(std::string_view name) {
  const auto* const found =
      std::ranges::find(all_rows, name, [](const Row* row) { return row->name; });
  return found == all_rows.end() ? nullptr : *found;
}

bool is_row_of(Method method, std::string_view name) {
  const Row* const found = find_row(name);
  return found != nullptr && found->method == method;
}

bool is_protection(std::string_view name) {
  const Row* const found = find_row(name);
  return found == nullptr || found->is_protected();
}

std::string row_label(std::string_view name) {
  const Row* const found = find_row(name);
  return std::string(found != nullptr ? found->label : name);
}

std::pair<std::size_t, std::string> place_of_row(const std::string& name) {
  const auto* const found =
      std::ranges::find(all_rows, name, [](const Row* row) { return row->name; });
  return {static_cast<std::size_t>(found - all_rows.begin()),
          found == all_rows.end() ? name : std::string()};
}

}  // namespace unlearn::tool::experiments
