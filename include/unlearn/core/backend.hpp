// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/host_backend.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {
namespace detail {

/// What a Backend does with numbers of type T: requirements 2 to 6.
template <class B, class T>
concept KeepsNumbers =
    requires(const B& backend, std::size_t count, T value, const T* from, T* to) {
      { backend.template scratch<T>(count).data() } -> std::same_as<T*>;
      backend.copy(from, count, to);
      backend.copy_in(from, count, to);
      backend.copy_out(from, count, to);
      backend.fill(value, count, to);
    };

/// What a Backend does with rows of type T: requirement 7.
template <class B, class T>
concept GathersRows =
    requires(const B& backend, View<const T, 2> from, View<const Index, 1> indices, View<T, 2> to) {
      backend.gather_rows(from, indices, to);
    };

/// Requirement 8.
template <class B>
concept SumsRows = requires(const B& backend, View<const float, 2> rows, View<float, 2> sums,
                            View<const Index, 1> members, View<const Index, 1> first) {
  backend.sum_rows(rows, members, first, sums);
};

/// Requirement 9.
template <class B, class T>
concept FindsNonFinite = requires(const B& backend, const T* numbers, std::size_t count) {
  { backend.all_finite(numbers, count) } -> std::convertible_to<bool>;
};

}  // namespace detail

/// An execution policy that works in a memory of its own: what the library's algorithms do there.
///
/// Requirements, for a backend `b`, pointers `from`, `to` and `numbers` and views into its memory,
/// and a pointer `host` into the host's:
/// 1. `B::memory` is a static constexpr MemorySpace. Copies of `b` are the same backend.
/// 2. `b.scratch<T>(count)` returns an object that owns room for `count` numbers of type T, with
///    any content, and has `data()`. It ends before those that were made before it.
/// 3. `b.copy(from, count, to)` copies within its memory.
/// 4. `b.copy_in(host, count, to)` copies from the host's memory, which may be changed when it
///    returns.
/// 5. `b.copy_out(from, count, host)` copies to the host's memory, and returns when it is there.
/// 6. `b.fill(value, count, to)` writes `count` times the same number.
/// 7. `b.gather_rows(from, indices, to)`: to[i] ← from[indices[i]], row by row; the indices are in
///    its memory, too.
/// 8. `b.sum_rows(rows, members, first, sums)`: sums[g] ← Σ rows[members[k]] for k from first[g]
///    up to first[g + 1], in this order; members and first are in its memory, too.
/// 9. `b.all_finite(numbers, count)` tells whether no number is NaN or infinite.
/// 10. Calls take effect in the order in which they are made. They may return before, where they
///    have no result on the host.
///
/// 2 to 6 are asked of the types std::int8_t, std::uint8_t, float, double and Index, 7 of the first
/// three, 9 of float and double. Results are the bytes that HostBackend comes to.
///
/// What some algorithms need beyond that: NoiseBackend, StreamingBackend, RankingBackend.
template <class B>
concept Backend =
    BackendPolicy<B> && std::copy_constructible<B> && detail::KeepsNumbers<B, std::int8_t> &&
    detail::KeepsNumbers<B, std::uint8_t> && detail::KeepsNumbers<B, float> &&
    detail::KeepsNumbers<B, double> && detail::KeepsNumbers<B, Index> &&
    detail::GathersRows<B, std::int8_t> && detail::GathersRows<B, std::uint8_t> &&
    detail::GathersRows<B, float> && detail::SumsRows<B> && detail::FindsNonFinite<B, float> &&
    detail::FindsNonFinite<B, double>;

static_assert(Backend<HostBackend>);

/// @returns the Backend that keeps the data of an algorithm with this policy: HostBackend for
///          Sequential, Parallel and executors.
template <HostPolicy P>
[[nodiscard]] constexpr HostBackend backend_of(const P& /*policy*/) {
  return {};
}
/// @returns the policy itself, which is a Backend.
template <BackendPolicy B>
[[nodiscard]] constexpr const B& backend_of(const B& backend) {
  static_assert(Backend<B>,
                "this policy is no unlearn::Backend: see its requirements in "
                "unlearn/core/backend.hpp");
  return backend;  // NOLINT(bugprone-return-const-ref-from-parameter): as std::as_const
}

/// @returns room for `count` numbers in the memory of a policy; see requirement 2 of Backend.
template <class T, ExecutionPolicy P>
[[nodiscard]] auto scratch(const P& policy, std::size_t count) {
  return backend_of(policy).template scratch<T>(count);
}

/// The type of what scratch() returns.
template <class T, ExecutionPolicy P>
using ScratchOf = decltype(scratch<T>(std::declval<const P&>(), 0));

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
