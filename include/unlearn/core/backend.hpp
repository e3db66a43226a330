// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"

/// @file
/// What composed algorithms do to the memory that a policy works on: the host's, or a device's,
/// whose policy brings functions of its own. See DevicePolicy.

namespace unlearn::detail {

/// Room for `count` numbers, uninitialised or not; owns it, and has data(). A device's ends before
/// what was made earlier does.
template <class X, ExecutionPolicy P>
[[nodiscard]] auto scratch(const P& policy, std::size_t count) {
  if constexpr (DevicePolicy<P>) {
    return scratch_on<X>(policy, count);
  } else {
    return std::vector<X>(count);
  }
}

template <ExecutionPolicy P, class X>
void copy(const P& policy, const X* from, std::size_t count, X* to) {
  if constexpr (DevicePolicy<P>) {
    copy_on(policy, from, count, to);
  } else {
    std::copy_n(from, count, to);
  }
}

/// From the host's memory, which may be changed when it returns.
template <ExecutionPolicy P, class X>
void copy_in(const P& policy, const X* from, std::size_t count, X* to) {
  if constexpr (DevicePolicy<P>) {
    copy_in_on(policy, from, count, to);
  } else {
    std::copy_n(from, count, to);
  }
}

template <ExecutionPolicy P, class X>
void fill(const P& policy, X value, std::size_t count, X* to) {
  if constexpr (DevicePolicy<P>) {
    copy_in_on(policy, std::vector<X>(count, value).data(), count, to);
  } else {
    std::fill_n(to, count, value);
  }
}

template <ExecutionPolicy P, std::floating_point T>
[[nodiscard]] bool all_finite_numbers(const P& policy, const T* numbers, std::size_t count) {
  if constexpr (DevicePolicy<P>) {
    return all_finite_on(policy, numbers, count);
  } else {
    return unlearn::all_finite(std::span<const T>(numbers, count));
  }
}

/// to[i] ← from[indices[i]], row by row; all of them in the policy's memory.
template <ExecutionPolicy P, class T>
void gather_rows(const P& policy, View<const T, 2> from, View<const Index, 1> indices,
                 View<T, 2> to) {
  if constexpr (DevicePolicy<P>) {
    gather_rows_on(policy, from, indices, to);
  } else {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(from.row(indices.flat()[i]), to.row(i).begin());
    }
  }
}

/// sums[g] ← Σ rows[members[k]] for k from first[g] up to first[g + 1], in this order; all of them
/// in the policy's memory.
template <ExecutionPolicy P>
void sum_rows(const P& policy, View<const float, 2> rows, View<const Index, 1> members,
              View<const Index, 1> first, View<float, 2> sums) {
  if constexpr (DevicePolicy<P>) {
    sum_rows_on(policy, rows, members, first, sums);
  } else {
    for (std::size_t g = 0; g < sums.extent(0); ++g) {
      const std::span<float> sum = sums.row(g);
      std::ranges::fill(sum, 0.0F);
      for (Index k = first.flat()[g]; k < first.flat()[g + 1]; ++k) {
        std::ranges::transform(sum, rows.row(members.flat()[k]), sum.begin(), std::plus<>{});
      }
    }
  }
}

}  // namespace unlearn::detail
