// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

/// Shows the host rows that are in the memory of a policy, one at a time: the row itself, or a copy
/// of it.
template <class T>
class HostRow {
 public:
  /// Row `number` of `rows`. Valid until the next call.
  /// @param policy the rows are in its memory
  template <ExecutionPolicy P>
  [[nodiscard]] std::span<const T> of([[maybe_unused]] const P& policy, View<const T, 2> rows,
                                      std::size_t number) {
    const std::span<const T> row = rows.row(number);
    if constexpr (HostPolicy<P>) {
      return row;
    } else {
      copy_.resize(row.size());
      backend_of(policy).copy_out(row.data(), row.size(), copy_.data());
      return copy_;
    }
  }

 private:
  std::vector<T> copy_;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
