// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The host's memory as a Backend: what every other backend must come to, in the fewest words. The
/// host's policies work with it.
struct HostBackend {
  /// See BackendPolicy.
  static constexpr MemorySpace memory = MemorySpace::host;

  /// @returns `count` zeros.
  template <class T>
  [[nodiscard]] static std::vector<T> scratch(std::size_t count) {
    return std::vector<T>(count);
  }

  /// to[i] ← from[i] for i below `count`.
  template <class T>
  static void copy(const T* from, std::size_t count, T* to) {
    std::copy_n(from, count, to);
  }
  /// The same: all memory is the host's.
  template <class T>
  static void copy_in(const T* host, std::size_t count, T* to) {
    copy(host, count, to);
  }
  /// The same: all memory is the host's.
  template <class T>
  static void copy_out(const T* from, std::size_t count, T* host) {
    copy(from, count, host);
  }

  /// to[i] ← value for i below `count`.
  template <class T>
  static void fill(T value, std::size_t count, T* to) {
    std::fill_n(to, count, value);
  }

  /// @returns whether no number is NaN or infinite.
  template <std::floating_point T>
  [[nodiscard]] static bool all_finite(const T* numbers, std::size_t count) {
    return unlearn::all_finite(std::span<const T>(numbers, count));
  }

  /// to[i] ← from[indices[i]], row by row.
  /// @param from [rows, columns]
  /// @param indices rows of `from`, in any order; one may appear several times
  /// @param to [indices, columns of `from`]
  template <class T>
  static void gather_rows(View<const std::type_identity_t<T>, 2> from, View<const Index, 1> indices,
                          View<T, 2> to) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(from.row(indices.flat()[i]), to.row(i).begin());
    }
  }

  /// sums[g] ← Σ rows[members[k]] for k from first[g] up to first[g + 1], in this order.
  /// @param rows [rows, columns]
  /// @param members rows of `rows`, those of a group side by side
  /// @param first [groups + 1] where each group's members begin, and the end of the last
  /// @param sums [groups, columns of `rows`]
  static void sum_rows(View<const float, 2> rows, View<const Index, 1> members,
                       View<const Index, 1> first, View<float, 2> sums) {
    for (std::size_t g = 0; g < sums.extent(0); ++g) {
      const std::span<float> sum = sums.row(g);
      std::ranges::fill(sum, 0.0F);
      for (Index k = first.flat()[g]; k < first.flat()[g + 1]; ++k) {
        std::ranges::transform(sum, rows.row(members.flat()[k]), sum.begin(), std::plus<>{});
      }
    }
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
