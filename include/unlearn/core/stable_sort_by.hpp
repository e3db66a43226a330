// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace unlearn {

/// Sorts `values` by `key(value)`, ascending. Values with equal keys keep their order.
///
/// std::stable_sort of libstdc++ 12 calls a function that C++20 deprecates, and Clang warns every
/// user about it; this function does not.
/// @param values sorted in place
/// @param key    a function or a pointer to a member
template <class T, class Key>
void stable_sort_by(std::span<T> values, Key key) {
  using Value = std::remove_cvref_t<std::invoke_result_t<Key&, const T&>>;
  std::vector<std::pair<Value, std::size_t>> order;
  order.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    order.emplace_back(std::invoke(key, values[i]), i);
  std::ranges::sort(order);
  std::vector<T> sorted;
  sorted.reserve(values.size());
  for (const auto& entry : order) sorted.push_back(std::move(values[entry.second]));
  std::ranges::move(sorted, values.begin());
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
